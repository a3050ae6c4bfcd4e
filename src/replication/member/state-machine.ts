// What a group replicates, as a member sees it.
import type { Entry, Mark } from '../core/core.js';
import type { MemberId } from '../core/members.js';

export interface StateMachine {
  /** The last entry that was applied, and who was a member then. */
  readonly applied: Mark;
  /**
   * Applies entries that are committed and on the disk of this member, in order, from the next one on. Throws DivergedError when
   * the state is not what the leader's was: then it applies nothing any more.
   */
  apply(entries: readonly Entry[]): void;
}

/** The state of this member differs from the others', which have applied the same: it must be replaced. */
export class DivergedError extends Error {
  override readonly name = 'DivergedError';
}

/** Whole states, for members that lack what is in no log any more. */
export interface States {
  /** A whole state of late, for that member. It stays readable, unchanged, until the end of `chunks` or its `return`, which must come. */
  snapshot(to: MemberId): { mark: Mark; chunks: AsyncIterableIterator<Uint8Array> };
  /** Takes a state in without touching the own one. */
  receive(mark: Mark, chunks: AsyncIterable<Uint8Array>): Promise<ReceivedState>;
}

/** A whole state of another member, ready to replace the own one. */
export interface ReceivedState {
  readonly mark: Mark;
  /** On stable storage when it resolves, whole or not at all. */
  install(): Promise<void>;
  discard(): Promise<void>;
}
