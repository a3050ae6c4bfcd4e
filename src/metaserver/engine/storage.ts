// What the engine stands on: rows by key, changed in batches that are durable whole.
import type { Runtime } from '../../runtime/runtime.js';

/** A binary key, one character (U+0000 to U+00FF) per byte, so that string order is byte order. At most 1,900 bytes. */
export type Key = string;

export interface Row {
  key: Key;
  value: Uint8Array;
}

/** What a disk has for rows to come. */
export interface Room {
  /** What changes that take room may still take; what removals need is kept back. Below zero when that is being used. */
  leftBytes: number;
  totalBytes: number;
  /** Why what was written stays in memory or in a log just now. */
  failure: Error | null;
}

/** What a row takes at most while it is written: a page of its own. */
export const ROW_BYTES = 4096;

/** What is durable. Implementations know nothing of transactions in progress: they get each as one batch. */
export interface Storage {
  get(key: Key): Uint8Array | undefined;
  /** Rows with from <= key < to in key order, at most `limit` of them. */
  scan(from: Key, to: Key, limit: number): Row[];
  /**
   * Makes all changes (null removes) visible and durable together, or fails and makes none. Reads during the call may see
   * either state. Never called again before the last call has settled.
   */
  write(changes: ReadonlyMap<Key, Uint8Array | null>): Promise<void>;
  /** Rejects when the disk can't even be asked. */
  room(): Promise<Room>;
  /** All that was written is in its last place when it resolves, so that `room` knows what it has taken. Rejects as `write`. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the storage in a folder, making it when it is missing. */
export type EngineFactory = (directory: string, runtime: Runtime) => Promise<Storage>;
