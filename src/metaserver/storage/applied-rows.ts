// The rows of a member of the group: a storage, and over it in memory what was applied and is not in the storage yet. Checkpoints
// bring the storage up to date in the background, many entries at a time; until then the log has them.
import { Buffer } from 'node:buffer';
import type { Key, Row } from '../../namespace/view.js';
import type { Entry, Mark } from '../../replication/core/core.js';
import type { MemberId } from '../../replication/core/members.js';
import { DivergedError } from '../../replication/member/state-machine.js';
import { assert } from '../../runtime/assert.js';
import { asError } from '../../runtime/caught-errors.js';
import { diskTrouble } from '../../runtime/disk-trouble.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import { getThrough, scanThrough } from '../engine/layers.js';
import { Overlay } from '../engine/overlay.js';
import { type BaseStorage, type Replacement, ROW_BYTES, type Room } from '../engine/storage.js';
import { type Changes, changesOf, digestAfter, digestBefore, encodeBatch } from './batch.js';
import { encodeProgress, PROGRESS_KEY, type Progress } from './progress.js';

/** Rows of one transaction of a checkpoint on a disk with little room. */
const SMALL_TRANSACTION_ROWS = 64;
const NO_CHANGES: Changes = new Map();

export class AppliedRows {
  #applied: Mark;
  #digest: bigint;
  /** Applied since the last checkpoint began. */
  #fresh = new Overlay();
  /** #fresh, and below it what a checkpoint is writing. */
  #overlays: readonly Overlay[] = [this.#fresh];
  /** Up to where the storage has everything. */
  #stored: number;
  #failure: Error | null = null;
  #isRetired = false;
  /** Bytes of the entries that were applied since the last checkpoint began. */
  #freshBytes = 0;
  #proposed: { batch: Buffer; changes: Changes } | null = null;
  /** What writes the storage. */
  readonly #queue = new SerialQueue();

  readonly #self: MemberId;
  readonly #base: BaseStorage;

  constructor(base: BaseStorage, { self, mark, digest }: Progress) {
    this.#base = base;
    this.#self = self;
    this.#applied = mark;
    this.#digest = digest;
    this.#stored = mark.index;
  }

  get applied(): Mark {
    return this.#applied;
  }

  /** Of all batches that were applied. */
  get digest(): bigint {
    return this.#digest;
  }

  /** Rows that are not in the storage yet. */
  get freshRows(): number {
    return this.#fresh.size;
  }

  /** Bytes of the log that no checkpoint has covered yet. */
  get freshBytes(): number {
    return this.#freshBytes;
  }

  /** Whether the storage lacks something that was applied. */
  get isBehind(): boolean {
    return this.#stored < this.#applied.index;
  }

  get stored(): number {
    return this.#stored;
  }

  /** Why the last checkpoint failed; null since the last that did not. */
  get failure(): Error | null {
    return this.#failure;
  }

  get isReadable(): boolean {
    return this.#base.isReadable;
  }

  get(key: Key): Uint8Array | undefined {
    return getThrough(this.#overlays, this.#base, key);
  }

  scan(from: Key, to: Key, limit: number): Row[] {
    return scanThrough(this.#overlays, this.#base, from, to < PROGRESS_KEY ? to : PROGRESS_KEY, limit);
  }

  /** Encodes the next batch. Its changes are kept until it is applied or `proposalFailed`, and must not change: they save decoding. */
  encode(changes: Changes): Buffer {
    const batch = encodeBatch(changes, this.#digest);
    this.#proposed = { batch, changes };
    return batch;
  }

  /** The last batch was not applied in time: whoever has encoded it may change the changes from now on. */
  proposalFailed(): void {
    this.#proposed = null;
  }

  apply(entries: readonly Entry[]): void {
    for (const { index, term, content } of entries) {
      assert(index === this.#applied.index + 1, 'entries are applied in order, each once');
      const members = content.kind === 'members' ? content.members : this.#applied.members;
      if (content.kind === 'data') {
        this.#applyBatch(content.data);
        this.#freshBytes += content.bytes;
      }
      this.#applied = { index, term, members };
    }
  }

  async room(): Promise<Room> {
    const { leftBytes, ...room } = await this.#base.room();
    const rows = this.#overlays.reduce((sum, { size }) => sum + size, 0);
    return { ...room, leftBytes: leftBytes - rows * ROW_BYTES, failure: this.#failure };
  }

  /** Resolves when nothing is written any more, and nothing will be. */
  retire(): Promise<void> {
    return this.#queue.run(async () => {
      this.#isRetired = true;
    });
  }

  /** Resolves when the storage has everything that was applied before the call. */
  checkpoint(): Promise<void> {
    return this.#queue.run(() => this.#checkpoint(NO_CHANGES));
  }

  /** Everything is replaced by rows that another member has sent, which stand for `progress`. */
  install(replacement: Replacement, progress: Progress): Promise<void> {
    return this.#queue.run(async () => {
      await replacement.install();
      this.#fresh = new Overlay();
      this.#overlays = [this.#fresh];
      this.#applied = progress.mark;
      this.#digest = progress.digest;
      this.#stored = progress.mark.index;
      this.#proposed = null;
      this.#failure = null;
    });
  }

  /** Makes changes without the log, as an entry of a term of its own: whatever the log has at its index is not this. */
  writeThrough(changes: Changes): Promise<void> {
    return this.#queue.run(async () => {
      const before = { applied: this.#applied, digest: this.#digest };
      const { index, term, members } = this.#applied;
      this.#applied = { index: index + 1, term: term + 1, members };
      this.#digest = digestAfter(encodeBatch(changes, this.#digest));
      try {
        await this.#checkpoint(changes);
      } catch (error) {
        this.#applied = before.applied;
        this.#digest = before.digest;
        throw error;
      }
    });
  }

  async #checkpoint(changes: Changes): Promise<void> {
    if (this.#isRetired || (!this.isBehind && changes.size === 0)) return;
    const leaving = this.#fresh;
    this.#freshBytes = 0;
    this.#fresh = new Overlay();
    this.#overlays = [this.#fresh, leaving];
    const progress = { self: this.#self, mark: this.#applied, digest: this.#digest };
    try {
      await this.#store(leaving.changes, changes, progress);
      this.#stored = progress.mark.index;
      this.#failure = null;
    } catch (error) {
      this.#failure = asError(error);
      // What was applied meanwhile is newer.
      for (const [key, value] of this.#fresh.changes) leaving.set(key, value);
      this.#fresh = leaving;
      throw error;
    } finally {
      this.#overlays = [this.#fresh];
    }
  }

  /**
   * Writes everything in one transaction. On a disk without room for that, the rows of the log go first, in small transactions.
   * That is safe: until the last one moves the progress row, a start applies all of it again from the log.
   */
  async #store(logged: Changes, changes: Changes, progress: Progress): Promise<void> {
    try {
      await this.#base.write(withProgress(new Map([...logged, ...changes]), progress));
    } catch (error) {
      if (diskTrouble(error) !== 'full' || logged.size === 0) throw error;
      const rows = [...logged];
      for (let at = 0; at < rows.length; at += SMALL_TRANSACTION_ROWS) {
        await this.#base.write(new Map(rows.slice(at, at + SMALL_TRANSACTION_ROWS)));
      }
      await this.#base.write(withProgress(changes, progress));
    }
  }

  #applyBatch(data: unknown): void {
    assert(data instanceof Uint8Array, 'batches are bytes');
    const batch = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    if (digestBefore(batch) !== this.#digest) throw new DivergedError('the rows are not those that the leader had');
    const own = this.#proposed?.batch === data ? this.#proposed.changes : undefined;
    for (const [key, value] of own ?? changesOf(batch)) this.#fresh.set(key, value);
    this.#digest = digestAfter(batch);
    this.#proposed = null;
  }
}

function withProgress(changes: Changes, progress: Progress): Changes {
  return new Map(changes).set(PROGRESS_KEY, encodeProgress(progress));
}
