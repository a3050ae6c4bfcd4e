// The transactional key-value view that the namespace stands on, and the
// storage below it. Commands change an overlay in memory and are answered at
// once; the overlay reaches the storage as one transaction when somebody needs
// durability. A crash loses a tail of whole commands, never a part of one.
import { assert } from '../../runtime/assert.js';
import { getThrough, scanThrough } from './layers.js';
import { Overlay } from './overlay.js';
import type { Key, Room, Row, Storage } from './storage.js';

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

export class Engine implements View {
  readonly #storage: Storage;
  /** Finished transactions that no commit has taken yet, and the one under way. */
  #active = new Overlay();
  /** With what is being written to the storage now. */
  #overlays: readonly Overlay[] = [this.#active];
  /** Undo entries of the transaction under way: key, then its earlier overlay value (undefined: none). */
  #journal: { key: Key; before: Uint8Array | null | undefined }[] | null = null;
  /** Changes of keys, ever. */
  #changes = 0;
  #inFlight: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Keys that are changed and not yet being committed. */
  get uncommittedKeys(): number {
    return this.#active.size;
  }

  /** How many keys were changed by all transactions together, one that is changed again counted again. */
  get changes(): number {
    return this.#changes;
  }

  get(key: Key): Uint8Array | undefined {
    return getThrough(this.#overlays, this.#storage, key);
  }

  put(key: Key, value: Uint8Array): void {
    this.#change(key, value);
  }

  remove(key: Key): void {
    this.#change(key, null);
  }

  scan(from: Key, to: Key, limit: number): Row[] {
    return scanThrough(this.#overlays, this.#storage, from, to, limit);
  }

  /**
   * Runs `action`; when it throws, nothing that it wrote remains. Synchronous, so that nobody sees it halfway.
   * Transactions do not nest.
   */
  transaction<T>(action: () => T): T {
    assert(this.#journal === null, 'transactions do not nest');
    const journal: { key: Key; before: Uint8Array | null | undefined }[] = [];
    this.#journal = journal;
    try {
      return action();
    } catch (error) {
      for (let at = journal.length - 1; at >= 0; at--) {
        const entry = journal[at];
        if (entry !== undefined) this.#active.restore(entry.key, entry.before);
      }
      throw error;
    } finally {
      this.#journal = null;
    }
  }

  /**
   * Resolves when every transaction finished so far is on stable storage. Callers that wait at the same time share one
   * write. Rejects when the storage failed: then it is unknown what a restart would find, and the next commit tries again.
   */
  commit(): Promise<void> {
    if (this.#next !== null) return this.#next;
    if (this.#active.size === 0) return this.#inFlight ?? Promise.resolve();
    // The detour over a resolved promise lets commands that arrived in the same turn join.
    const turn = this.#inFlight ?? Promise.resolve();
    const next: Promise<void> = turn.then(
      () => this.#write(next),
      () => this.#write(next),
    );
    this.#next = next;
    return next;
  }

  room(): Promise<Room> {
    return this.#storage.room();
  }

  /** Commits, and resolves when the storage has everything in its last place. */
  async settle(): Promise<void> {
    await this.commit();
    await this.#storage.settle();
  }

  /** Commits, then closes the storage, also when the commit has failed. */
  async close(): Promise<void> {
    try {
      await this.commit();
    } finally {
      await this.#storage.close();
    }
  }

  async #write(self: Promise<void>): Promise<void> {
    this.#next = null;
    this.#inFlight = self;
    const overlay = this.#active;
    this.#active = new Overlay();
    this.#overlays = [this.#active, overlay];
    try {
      await this.#storage.write(overlay.changes);
    } catch (error) {
      // What was answered must stay visible: it goes below what came since, to be written with it.
      for (const [key, value] of this.#active.changes) overlay.set(key, value);
      this.#active = overlay;
      throw error;
    } finally {
      this.#overlays = [this.#active];
      this.#inFlight = null;
    }
  }

  #change(key: Key, value: Uint8Array | null): void {
    assert(this.#journal !== null, 'a change needs a transaction');
    this.#journal.push({ key, before: this.#active.get(key) });
    this.#changes++;
    this.#active.set(key, value);
  }
}
