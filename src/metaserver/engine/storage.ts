// What the engine stands on: rows by key, changed in batches that are durable whole.

import type { Key, Row } from '../../namespace/view.js';
import type { ServiceError } from '../../protocol/errors.js';
import type { Runtime } from '../../runtime/runtime.js';

/** The room that a disk has for more rows. */
export interface Room {
  /** For changes that take room, without the reserve for removals. Negative while removals use the reserve. */
  leftBytes: number;
  totalBytes: number;
  /** Why writes stay in memory or in a log; null while they reach their last place. */
  failure: Error | null;
}

/** The most that a changed row takes on the disk: a page of its own. */
export const ROW_BYTES = 4096;

/** The durable rows. A write is one batch, of one or many whole transactions. */
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
  /** Runs a checkpoint: afterwards `room` knows what all writes have taken. Rejects as `write` does. */
  checkpoint(): Promise<void>;
  close(): Promise<void>;
  /** Of a storage that is a member of a group: it can be written, and all its rows are there, only while this server leads. */
  readonly leadership?: Leadership;
}

/** Whether this server is the one of its group that answers. */
export interface Leadership {
  /** It leads, and has everything that earlier leaders have committed. */
  readonly isServing: boolean;
  /** It leads at this moment, for sure. */
  readonly isCertain: boolean;
  /** Resolves when it is known that it led at some moment since the call. Rejects with NOT_LEADER. */
  confirm(): Promise<void>;
  /** Says who leads, as far as this server knows. */
  notLeader(): ServiceError;
  /** Called whenever `isServing` has changed. */
  onChange(listener: () => void): void;
  /** Has another server lead, if there is one that can. */
  handOver(): Promise<void>;
}

/** Opens the storage in a folder, making it when it is missing. */
export type EngineFactory = (directory: string, runtime: Runtime) => Promise<Storage>;

/** All rows as they were at one moment, whatever is written since. */
export interface StorageView {
  /** How many rows there are. */
  readonly count: number;
  get(key: Key): Uint8Array | undefined;
  /** As of the storage. */
  scan(from: Key, to: Key, limit: number): Row[];
  close(): void;
}

/** Rows that are to replace all that a storage has. */
export interface Replacement {
  /** Each key once. */
  add(rows: readonly Row[]): Promise<void>;
  /** Replaces all rows, durably and together, or rejects and replaces none. Nothing else may be called meanwhile. */
  install(): Promise<void>;
  discard(): Promise<void>;
}

/** A storage whose rows can be copied to another server, and taken from one. */
export interface BaseStorage extends Storage {
  /** Rows can't be read while others take their place, or while the storage is opened anew: `get` and `scan` throw UNREACHABLE. */
  readonly isReadable: boolean;
  view(): StorageView;
  replacement(): Promise<Replacement>;
  /** Called by `get`, `scan` and views of a storage that checks its rows: one has rotted. What it returns is thrown. */
  onDamage?: ((damage: Error) => Error) | undefined;
}

export type BaseFactory = (directory: string, runtime: Runtime) => Promise<BaseStorage>;
