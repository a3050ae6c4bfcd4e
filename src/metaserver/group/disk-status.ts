// What a metaserver says of its disk, to whoever asks what it is in its group.
import type { GroupStatus } from '../../protocol/services/group.js';
import { asError, messageOf } from '../../runtime/caught-errors.js';
import { diskTrouble } from '../../runtime/disk-trouble.js';
import type { Storage } from '../engine/storage.js';

type DiskStatus = Pick<GroupStatus, 'trouble' | 'reason' | 'freeBytes' | 'totalBytes'>;

/** @param storage null while the server has none; `failure`: why it can't store, where that is known */
export async function diskStatus(
  storage: (Pick<Storage, 'room'> & { readonly failure: Error | null }) | null,
): Promise<DiskStatus> {
  const room = await storage?.room().catch(asError);
  const failure = storage?.failure ?? (room instanceof Error ? room : null);
  const { leftBytes, totalBytes } = room === undefined || room instanceof Error ? NO_ROOM : room;
  return {
    trouble: failure === null ? null : diskTrouble(failure),
    reason: failure === null ? '' : messageOf(failure),
    freeBytes: Math.max(0, leftBytes),
    totalBytes,
  };
}

const NO_ROOM = { leftBytes: 0, totalBytes: 0 };
