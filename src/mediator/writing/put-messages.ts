// The messages that put new versions on replicas: the same for all of them,
// each with a bounded number of bytes.
import type { BlockKey, BlockService, PutResult, Version } from '../../protocol/services/blocks.js';
import type { Hash } from '../../protocol/values/hash.js';
import { forMany } from '../../protocol/wire/codec.js';
import { boundedGroups } from '../replicas/bounded-groups.js';
import type { Replica } from '../replicas/replica.js';
import { type BlockPlan, putItem } from './write-plan.js';

/** Bytes of blocks in one message; more go in several. */
const MESSAGE_BYTES = 4 * 1024 * 1024;

export interface PreparedBlock {
  plan: BlockPlan;
  version: Version;
  /** Of the result; null until it is known: a patch's is what the replicas agree on. */
  hash: Hash | null;
}

/** A block that is being stored, and the replicas' answers. */
export interface BlockState {
  block: PreparedBlock;
  key: BlockKey;
  /** The whole new content; null when it is put as a patch, and only the replicas know it. */
  rendered: Uint8Array | null;
  results: Map<Replica, PutResult>;
  /** Replicas that lacked the base of the patch while they were not complete. */
  incomplete: Set<Replica>;
}

/** Whether the replica has stored the block, with the content that is to be committed. */
export function holds({ block, results }: BlockState, replica: Replica): boolean {
  const result = results.get(replica);
  return result?.state === 'stored' && result.hash === block.hash;
}

export interface PutMessage {
  states: readonly BlockState[];
  request: Parameters<BlockService['put']>[0];
}

/** @param replace whether a replica that has the version already replaces its bytes */
export function putMessages(states: readonly BlockState[], replace: boolean): PutMessage[] {
  const groups = boundedGroups(states, ({ block }) => block.plan.length, MESSAGE_BYTES);
  return groups.map((group) => {
    const items = group.map(({ block, key, rendered }) => putItem(block.plan, key.inode, key.version, rendered));
    return { states: group, request: forMany({ items, durable: true, replace }) };
  });
}
