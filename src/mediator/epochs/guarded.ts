// A service that is carried out, and answered, only while no other mediator can be
// the active one.
import type { CallOptions } from '../../protocol/services/service.js';
import type { Tenure } from './tenure.js';

/** @param unguarded the methods that may be asked of a mediator that was replaced */
export function guarded<T extends object>(service: T, tenure: Tenure, unguarded: readonly (keyof T)[] = []): T {
  return new Proxy(service, {
    get(target, member) {
      const method: unknown = Reflect.get(target, member);
      if (typeof method !== 'function') return method;
      const call = (request: object, options?: CallOptions) => method.call(target, request, options);
      if (unguarded.includes(member as keyof T)) return call;
      return (request: object, options?: CallOptions) => tenure.guard(() => call(request, options));
    },
  });
}
