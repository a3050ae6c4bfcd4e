// How much room there is for data.
import { FileError } from '../protocol/errors.js';
import type { Attributes } from '../protocol/files.js';
import type { ReplicaSet } from './replica-set.js';

interface Space {
  totalBytes: number;
  freeBytes: number;
}

/** Every block goes to all servers: the smallest of them is what there is. */
export function spaceOf({ replicas }: Pick<ReplicaSet, 'replicas'>): Space {
  const stores = replicas.flatMap(({ store }) => (store === null ? [] : [store]));
  const smallest = (amounts: number[]) => (amounts.length === 0 ? 0 : Math.min(...amounts));
  return {
    totalBytes: smallest(stores.map((store) => store.totalBytes)),
    freeBytes: smallest(stores.map((store) => store.freeBytes)),
  };
}

/** ENOSPC when the range could not be written now. What of the file's space lies in the range is not known: all of it might. */
export function requireRoom(
  { freeBytes }: Space,
  { sizeBytes, allocatedBytes }: Attributes,
  offset: number,
  end: number,
): void {
  const inside = Math.max(0, Math.min(end, sizeBytes) - offset);
  const behind = Math.max(0, end - Math.max(offset, sizeBytes));
  if (behind + Math.max(0, inside - allocatedBytes) <= freeBytes) return;
  throw new FileError('ENOSPC', `${end - offset} bytes don't fit where ${freeBytes} are free`);
}
