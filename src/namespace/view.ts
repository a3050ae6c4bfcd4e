// What the namespace stands on: rows by key, read and changed one by one.

/** A binary key, one character (U+0000 to U+00FF) per byte, so that string order is byte order. At most 1,900 bytes. */
export type Key = string;

export interface Row {
  key: Key;
  value: Uint8Array;
}

/** Reads and writes of one key-value space. */
export interface View {
  get(key: Key): Uint8Array | undefined;
  /** Only inside of a transaction. The value belongs to the engine from then on. */
  put(key: Key, value: Uint8Array): void;
  /** Only inside of a transaction; nothing happens when the key is missing. */
  remove(key: Key): void;
  /** Rows with from <= key < to in key order, at most `limit` of them. */
  scan(from: Key, to: Key, limit: number): Row[];
}

/** A view whose changes are made together or not at all. */
export interface Transactions extends View {
  /** Runs `action`; when it throws, all its changes are undone. It is synchronous. Transactions do not nest. */
  transaction<T>(action: () => T): T;
}
