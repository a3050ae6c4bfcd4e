// The transactional key-value view that the namespace stands on, and the
// storage below it. Commands change an overlay in memory and are answered at
// once; the overlay is written to the storage as one transaction when a caller needs
// durability. A crash loses the last commands as a whole, never a part of one.

import type { Key, Row, Transactions } from '../../namespace/view.js';
import { assert } from '../../runtime/assert.js';
import { getThrough, scanThrough } from './layers.js';
import { Overlay } from './overlay.js';
import type { Room, Storage } from './storage.js';

export class Engine implements Transactions {
  readonly #storage: Storage;
  /** Changes of finished transactions that no commit is writing yet, and of the one under way. */
  #active = new Overlay();
  /** #active, and below it what a commit is writing to the storage. */
  #overlays: readonly Overlay[] = [this.#active];
  /** The undo log of the transaction under way: keys with their values in #active before (undefined: none). */
  #journal: { key: Key; before: Uint8Array | null | undefined }[] | null = null;
  /** Counts every `put` and `remove`. */
  #changes = 0;
  /** The commit that is writing, and the one that writes after it. */
  #inFlight: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  /** Why nothing is written any more; null while it is. */
  #retired: Error | null = null;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Keys that are changed and not yet being committed. */
  get uncommittedKeys(): number {
    return this.#active.size;
  }

  /** How many changes all transactions have made together. */
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
   * Runs `action`; when it throws, all its changes are undone. It is synchronous, so that no other code sees half of it.
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
   * Resolves when every transaction that has finished is on stable storage. Callers that wait at the same time share one
   * write. Rejects when the storage fails: what a restart would find is unknown then, and the next commit tries again.
   */
  commit(): Promise<void> {
    if (this.#next !== null) return this.#next;
    if (this.#active.size === 0) return this.#inFlight ?? Promise.resolve();
    // Even when nothing is in flight, the write starts in a later microtask: commands of the same turn join it.
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

  /** Commits, then has the storage run a checkpoint. */
  async checkpoint(): Promise<void> {
    await this.commit();
    await this.#storage.checkpoint();
  }

  /** Another server writes the storage from now on: commits are refused. */
  retire(why: Error): void {
    this.#retired ??= why;
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
      if (this.#retired !== null) throw this.#retired;
      await this.#storage.write(overlay.changes);
    } catch (error) {
      // Answered changes must stay visible: they go below the newer ones and are written with them.
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
