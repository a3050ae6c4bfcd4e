// The answers of a data server, checked for their shape where they arrive: a
// server that answers nonsense has failed the call, and must never look like a
// fault of this program.
import { ServiceError } from '../../protocol/errors.js';
import type { BlockService, GetResult, ListEntry, PutResult, StoreStatus } from '../../protocol/services/blocks.js';

/** The service of the server `name`. Calls whose answers have another shape reject with FAILED. */
export function checkedBlocks(name: string, blocks: BlockService): BlockService {
  /** Passes the answer on. One promise more a message, which may be of many blocks. */
  const checked = async <T>(answer: Promise<T>, isFit: (answer: T) => boolean): Promise<T> => {
    const arrived = await answer;
    if (isObject(arrived) && isFit(arrived)) return arrived;
    throw new ServiceError('FAILED', `${name} has sent an answer of no known form`);
  };
  return {
    put: (request, options) =>
      checked(blocks.put(request, options), ({ results }) => areResults(results, request.items.length, isPutResult)),
    get: (request, options) =>
      checked(blocks.get(request, options), ({ results }) => areResults(results, request.items.length, isGetResult)),
    list: (request, options) =>
      checked(blocks.list(request, options), ({ entries, next }) => {
        return Array.isArray(entries) && entries.every(isListEntry) && (next === undefined || isKey(next));
      }),
    status: (request, options) => checked(blocks.status(request, options), isStatus),
    adopt: (request, options) => checked(blocks.adopt(request, options), isStatus),
    // Nobody looks at what these answer.
    delete: (request, options) => blocks.delete(request, options),
    flush: (request, options) => blocks.flush(request, options),
  };
}

function areResults<T>(results: readonly T[], count: number, isFit: (result: T) => boolean): boolean {
  if (!Array.isArray(results) || results.length !== count) return false;
  for (const result of results) if (!isObject(result) || !isFit(result)) return false;
  return true;
}

function isPutResult(result: PutResult): boolean {
  switch (result.state) {
    case 'stored':
      return typeof result.hash === 'bigint';
    case 'no-base':
    case 'bad-base':
    case 'full':
      return true;
    default:
      return false;
  }
}

function isGetResult(result: GetResult): boolean {
  switch (result.state) {
    case 'present':
      return (
        typeof result.hash === 'bigint' &&
        typeof result.length === 'number' &&
        (result.data === undefined || result.data instanceof Uint8Array) &&
        (result.pageHashes === undefined || result.pageHashes instanceof Uint8Array)
      );
    case 'absent':
    case 'damaged':
      return true;
    default:
      return false;
  }
}

function isListEntry(entry: ListEntry): boolean {
  return (
    isKey(entry) && typeof entry.hash === 'bigint' && typeof entry.modifiedNs === 'bigint' && isNumber(entry.length)
  );
}

function isKey(key: { inode: number; index: number; version: number }): boolean {
  return isObject(key) && isNumber(key.inode) && isNumber(key.index) && isNumber(key.version);
}

function isStatus(status: StoreStatus): boolean {
  const { name, clusterId, storeId, diskId, trouble, reason, ...numbers } = status;
  return (
    [name, storeId, diskId, reason].every((text) => typeof text === 'string') &&
    (clusterId === null || typeof clusterId === 'string') &&
    (trouble === null || typeof trouble === 'string') &&
    [numbers.blocks, numbers.bytes, numbers.storedBytes, numbers.freeBytes, numbers.totalBytes].every(isNumber)
  );
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number';
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
