// Who is to blame for a lost vote. A server that was away when a version was
// stored, or is still being sent it, lacks it rightly: the metaserver has it on
// record, and the catch-up will bring it.
import type { BlockKey } from '../../protocol/services/blocks.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import type { Replica } from '../replicas/replica.js';
import type { Ballot } from './vote.js';

/**
 * Of the replicas that lost the vote on a version that is named, those that were wrong. Call it before anybody gives them the
 * version: the record that excuses one may go with that.
 * @param lost each with the ballot that it cast; null: known not to be to blame
 */
export async function blamed(
  metadata: MetadataService,
  block: BlockKey,
  lost: ReadonlyMap<Replica, Ballot['state'] | null>,
): Promise<Replica[]> {
  const found: Replica[] = [];
  for (const [replica, ballot] of lost) {
    if (ballot === null || (ballot === 'absent' && (await lacksRightly(metadata, block, replica)))) continue;
    found.push(replica);
  }
  return found;
}

/** Whether the metaserver has noted that this server lacks this version. */
export async function lacksRightly(
  metadata: MetadataService,
  { inode, index, version }: BlockKey,
  { name }: Replica,
): Promise<boolean> {
  // The query answers what comes after a key: this is the one just before the block's.
  const after = index > 0 ? { inode, index: index - 1 } : { inode: inode - 1, index: Number.MAX_SAFE_INTEGER };
  const { blocks } = await metadata.query({ name: 'missed', request: { server: name, after, limit: 1 } });
  const [first] = blocks;
  return first !== undefined && first.inode === inode && first.index === index && first.version === version;
}
