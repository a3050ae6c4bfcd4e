// How much free space the data servers have for blocks.
import { FileError } from '../../protocol/errors.js';
import type { StoreStatus } from '../../protocol/services/blocks.js';
import type { Attributes } from '../../protocol/services/files.js';
import type { Replica } from './replica.js';

interface Space {
  totalBytes: number;
  freeBytes: number;
}

/** Every block is stored on all servers, so the one with the least space decides. Servers on one disk share its space. */
export function spaceOf({ replicas }: { replicas: readonly Pick<Replica, 'store'>[] }): Space {
  const stores = replicas.flatMap(({ store }) => (store === null ? [] : [store]));
  const sharers = new Map<string, number>();
  for (const { diskId } of stores) sharers.set(diskId, (sharers.get(diskId) ?? 0) + 1);
  const smallest = (amount: (store: StoreStatus) => number) =>
    stores.length === 0
      ? 0
      : Math.min(...stores.map((store) => Math.floor(amount(store) / (sharers.get(store.diskId) ?? 1))));
  return { totalBytes: smallest((store) => store.totalBytes), freeBytes: smallest((store) => store.freeBytes) };
}

/**
 * Checks that the range could be written now. Which of the file's blocks lie in the range is not known: all of them may.
 * @throws FileError ENOSPC
 */
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
