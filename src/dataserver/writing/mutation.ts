// One change of the store, as the batch writer takes it: it is planned when its
// turn comes, against what is stored then.
import type { BlockKey } from '../../protocol/services/blocks.js';
import type { UnplacedRecord } from '../format/unplaced-record.js';

/** What a mutation comes to. */
export interface Plan {
  records: UnplacedRecord[];
  removals: BlockKey[];
  /** Answers the caller; called when the change is stored. */
  done(): void;
}

export interface Mutation {
  /** On a full disk a put is refused, a delete is carried out without a record in the log, and a move fails. */
  kind: 'put' | 'delete' | 'move';
  /** Answered only when it is on stable storage. */
  durable: boolean;
  /** Names of the blocks that its plan reads or changes. Two mutations that share one never go into the same batch. */
  blocks: readonly string[];
  /** About how much it will write. */
  bytes: number;
  plan(): Promise<Plan>;
  failed(error: Error): void;
  /** The disk is full; nothing was written. */
  full(): void;
}
