// One message to one replica: asks for its ballots on many blocks, and for the
// bytes of some of them.
import type { GetItem, GetResult } from '../../protocol/services/blocks.js';
import type { Replica } from '../replicas/replica.js';
import type { BallotBox } from './ballot-box.js';

const ABSENT: GetResult = { state: 'absent' };
export const NO_BOXES: ReadonlySet<BallotBox> = new Set();

/**
 * Casts the replica's ballots in the boxes; rejects when it does not answer.
 * @param carrying the boxes for which it is to send the bytes too
 * @param replies the reply, whose memory holds the bytes, is added here before its ballots are cast
 */
export async function ask(
  replica: Replica,
  boxes: readonly BallotBox[],
  carrying: ReadonlySet<BallotBox> = NO_BOXES,
  replies?: object[],
): Promise<void> {
  const items: GetItem[] = [];
  for (const box of boxes) {
    const { inode, reference, offset, length } = box.wanted;
    const { index, version } = reference;
    items.push({ inode, index, version, offset, length, data: carrying.has(box) });
  }
  const reply = await replica.call(() => replica.blocks.get({ items }), true);
  replies?.push(reply);
  for (const [position, box] of boxes.entries()) box.cast(replica, reply.results[position] ?? ABSENT);
}
