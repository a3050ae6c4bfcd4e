// What a data server needs of its index: a sorted map from bytes to bytes. It
// holds only what the log has too, and can be rebuilt from it at any time.
import type { Buffer } from 'node:buffer';
import type { Runtime } from '../../runtime/runtime.js';

export interface IndexRow {
  key: Buffer;
  value: Buffer;
}

/** null removes the row. */
export interface IndexChange {
  key: Buffer;
  value: Buffer | null;
}

export interface IndexStore {
  /** The caller keeps the value; undefined when there is none. */
  get(key: Buffer): Buffer | undefined;
  /** Rows with from ≤ key < to in the order of their bytes, at most `limit`. */
  range(from: Buffer, to: Buffer, limit: number): IndexRow[];
  /** All changes or none, visible at once. Need not survive a power cut, must survive the process. */
  write(changes: readonly IndexChange[]): void;
  /** Removes every row. */
  clear(): void;
  close(): Promise<void>;
}

/** Opens the index in `directory`, making it when missing. Fails when what is there is no index. */
export type IndexFactory = (directory: string, runtime: Runtime) => Promise<IndexStore>;
