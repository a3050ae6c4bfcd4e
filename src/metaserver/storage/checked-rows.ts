// Rows with checksums, over a storage that has none. A row that is not what was written is never answered: its key or its value has
// rotted on the disk. A store that an earlier version has filled goes on without checksums until its rows are replaced.
import { Buffer } from 'node:buffer';
import type { Key, Row } from '../../namespace/view.js';
import { checksum32 } from '../../protocol/values/hash.js';
import type { BaseFactory, BaseStorage, Replacement, Room, StorageView } from '../engine/storage.js';
import type { Changes } from './batch.js';
import { PROGRESS_KEY } from './progress.js';

const CHECKSUM_BYTES = 4;
/** Its row says that all others have checksums. It sorts behind them, and before the progress. */
const MARKER_KEY: Key = PROGRESS_KEY.slice(1);
const MARKER: Row = { key: MARKER_KEY, value: Uint8Array.of(1) };

export class DamagedRowError extends Error {
  override readonly name = 'DamagedRowError';

  constructor(key: Key) {
    super(`the row ${Buffer.from(key, 'latin1').toString('hex')} of the metaserver's database is damaged`);
  }
}

/** The same factory, of storages that notice rows that have rotted. */
export function checkedRows(factory: BaseFactory): BaseFactory {
  return async (directory, runtime) => new CheckedRows(await factory(directory, runtime));
}

interface Rows {
  get(key: Key): Uint8Array | undefined;
  scan(from: Key, to: Key, limit: number): Row[];
}

class CheckedRows implements BaseStorage {
  onDamage: BaseStorage['onDamage'];
  /** null until its rows could be read, or it has some. */
  #isChecked: boolean | null = null;

  readonly #base: BaseStorage;

  constructor(base: BaseStorage) {
    this.#base = base;
  }

  get isReadable(): boolean {
    return this.#base.isReadable;
  }

  get(key: Key): Uint8Array | undefined {
    return this.#get(this.#base, key);
  }

  scan(from: Key, to: Key, limit: number): Row[] {
    return this.#scan(this.#base, from, to, limit);
  }

  async write(changes: Changes): Promise<void> {
    if (!this.#knowsChecked) {
      await this.#base.write(changes);
      return;
    }
    const checked = new Map<Key, Uint8Array | null>();
    for (const [key, value] of changes) checked.set(key, value === null ? null : withChecksum(key, value));
    if (this.#isChecked === null) checked.set(MARKER.key, MARKER.value);
    await this.#base.write(checked);
    this.#isChecked = true;
  }

  room(): Promise<Room> {
    return this.#base.room();
  }

  checkpoint(): Promise<void> {
    return this.#base.checkpoint();
  }

  view(): StorageView {
    const view = this.#base.view();
    return {
      count: view.count,
      get: (key) => this.#get(view, key),
      scan: (from, to, limit) => this.#scan(view, from, to, limit),
      close: () => view.close(),
    };
  }

  async replacement(): Promise<Replacement> {
    const replacement = await this.#base.replacement();
    await replacement.add([MARKER]);
    return {
      add: (rows) => replacement.add(rows.map(({ key, value }) => ({ key, value: withChecksum(key, value) }))),
      install: async () => {
        await replacement.install();
        this.#isChecked = true;
      },
      discard: () => replacement.discard(),
    };
  }

  close(): Promise<void> {
    return this.#base.close();
  }

  /** Whether rows have, or are to have, checksums: not in a store that has rows and no marker. */
  get #knowsChecked(): boolean {
    if (this.#isChecked !== null) return this.#isChecked;
    if (this.#base.get(MARKER_KEY) !== undefined) this.#isChecked = true;
    else if (this.#base.scan('', `${PROGRESS_KEY}\u0000`, 1).length > 0) this.#isChecked = false;
    return this.#isChecked !== false;
  }

  #get(rows: Rows, key: Key): Uint8Array | undefined {
    const value = rows.get(key);
    return value === undefined || !this.#knowsChecked ? value : this.#checked(key, value);
  }

  #scan(rows: Rows, from: Key, to: Key, limit: number): Row[] {
    if (!this.#knowsChecked) return rows.scan(from, to, limit);
    const hasMarker = from <= MARKER_KEY && MARKER_KEY < to;
    const found = rows.scan(from, to, hasMarker ? limit + 1 : limit);
    const wanted = hasMarker ? found.filter(({ key }) => key !== MARKER_KEY).slice(0, limit) : found;
    return wanted.map(({ key, value }) => ({ key, value: this.#checked(key, value) }));
  }

  #checked(key: Key, stored: Uint8Array): Uint8Array {
    const end = stored.length - CHECKSUM_BYTES;
    if (end >= 0) {
      const value = stored.subarray(0, end);
      if (checksumAt(stored, end) === checksumOf(key, value)) return value;
    }
    const damage = new DamagedRowError(key);
    throw this.onDamage?.(damage) ?? damage;
  }
}

function withChecksum(key: Key, value: Uint8Array): Uint8Array {
  const stored = Buffer.allocUnsafe(value.length + CHECKSUM_BYTES);
  stored.set(value);
  stored.writeUInt32LE(checksumOf(key, value), value.length);
  return stored;
}

/** Byte by byte: a DataView for each row took longer. */
function checksumAt(stored: Uint8Array, at: number): number {
  const [first = 0, second = 0, third = 0, fourth = 0] = [stored[at], stored[at + 1], stored[at + 2], stored[at + 3]];
  return (first | (second << 8) | (third << 16) | (fourth << 24)) >>> 0;
}

function checksumOf(key: Key, value: Uint8Array): number {
  return checksum32(value, checksum32(Buffer.from(key, 'latin1'), 0));
}
