// Which replicas lost a vote by their own fault. A server that was away when a
// version was stored, or has not been sent it yet, is not at fault: the
// metaserver has a record of what each server missed, and the catch-up brings it.
import type { BlockKey } from '../../protocol/services/blocks.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import type { Replica } from '../replicas/replica.js';
import type { Ballot } from './vote.js';

/** The ballot with which a replica lost a vote; null when it is known not to be at fault. */
export type LostBallot = Ballot['state'] | null;

/**
 * Of the replicas that lost the vote on a version, those at fault. Must run before they are repaired: a catch-up removes the
 * record that excuses them.
 * @param block a version that the block map names
 */
export async function blamed(
  metadata: MetadataService,
  block: BlockKey,
  lost: ReadonlyMap<Replica, LostBallot>,
): Promise<Map<Replica, Ballot['state']>> {
  const wrong = new Map<Replica, Ballot['state']>();
  for (const [replica, ballot] of lost) {
    if (ballot === null || (ballot === 'absent' && (await isExcused(metadata, block, replica)))) continue;
    wrong.set(replica, ballot);
  }
  return wrong;
}

/** Whether the metaserver has on record that this server missed this version. */
export async function isExcused(
  metadata: MetadataService,
  { inode, index, version }: BlockKey,
  { name }: Replica,
): Promise<boolean> {
  // The list starts behind `after`, so that is the key just before this block's.
  const after = index > 0 ? { inode, index: index - 1 } : { inode: inode - 1, index: Number.MAX_SAFE_INTEGER };
  const { blocks } = await metadata.query({ name: 'missed', request: { server: name, after, limit: 1 } });
  const [first] = blocks;
  return first !== undefined && first.inode === inode && first.index === index && first.version === version;
}
