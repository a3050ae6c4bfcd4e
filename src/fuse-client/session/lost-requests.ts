// Retries requests to a mediator in another process that were lost with it or
// with the connection, once it is back and knows this mount, within the deadline
// that every request has. A request that changes something carries an id, so
// that it is carried out once.
import type { FileService } from '../../protocol/services/files.js';
import type { CallOptions } from '../../protocol/services/service.js';
import type { RequestId, RequestIds } from '../../protocol/values/request-ids.js';
import type { RepeatedCalls } from '../../protocol/wire/repeated-calls.js';

/** The methods that change something. */
const CHANGES: ReadonlySet<PropertyKey> = new Set<keyof FileService>([
  'setattr',
  'create',
  'createUnnamed',
  'mkdir',
  'mknod',
  'symlink',
  'link',
  'unlink',
  'rmdir',
  'rename',
  'write',
  'fallocate',
  'setxattr',
  'removexattr',
]);

type Method = (request: object, options?: CallOptions) => Promise<object>;

/**
 * The same service, with lost requests retried.
 * @param begun resolves, with what is left of the limits, when the mediator knows this mount; fails when that takes too long
 */
export function retryLostRequests(
  files: FileService,
  lost: RepeatedCalls,
  ids: RequestIds,
  begun: (limits: CallOptions) => Promise<CallOptions>,
): FileService {
  const repeating = (method: Method): Method => {
    return (request, options) => lost.repeat(async (limits) => method(request, await begun({ ...limits, ...options })));
  };
  const once = (method: Method): Method => {
    return (request, options) =>
      ids.run((id: RequestId) => {
        let attempts = 0;
        const attempt: Method = (body, limits) => method(attempts++ === 0 ? body : { ...body, again: true }, limits);
        return repeating(attempt)({ ...request, id }, options);
      });
  };
  const methods = new Map<PropertyKey, Method>();
  return new Proxy(files, {
    get(target, member) {
      const known = methods.get(member);
      if (known !== undefined) return known;
      const found: unknown = Reflect.get(target, member);
      if (typeof found !== 'function') return found;
      const method: Method = (request, options) => found.call(target, request, options) as Promise<object>;
      const made = CHANGES.has(member) ? once(method) : repeating(method);
      methods.set(member, made);
      return made;
    },
  });
}
