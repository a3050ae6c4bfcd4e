// Whether the disk can take what commands change, and why not: the reason for
// which commands are refused before they are applied, and what status shows.
import { FileError } from '../protocol/errors.js';
import { messageOf } from '../runtime/caught-errors.js';
import { type DiskTrouble, diskTrouble } from '../runtime/disk-trouble.js';
import { rethrowProgramFault } from '../runtime/faults.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Engine } from './engine/engine.js';
import { ROW_BYTES, type Room } from './engine/storage.js';

/** How long a look at the free room is good for. Room that was taken ahead covers what may be used meanwhile. */
const LOOK_INTERVAL_MS = 1000;
/** On a full disk, commands cause another look no more often than this. */
const FULL_LOOK_INTERVAL_MS = 100;
/** How soon a disk that refused a write is tried again. */
export const DISK_RETRY_MS = 1000;

const REFUSALS = { full: 'ENOSPC', 'read-only': 'EROFS', failing: 'EIO' } as const;

export interface Health {
  trouble: DiskTrouble | null;
  /** In the system's words; empty without trouble. */
  reason: string;
  /** Room for changes that take room. */
  freeBytes: number;
  totalBytes: number;
}

interface Failure {
  trouble: DiskTrouble;
  reason: string;
}

export class DiskHealth {
  #room: Room | null = null;
  #lookedMs = Number.NEGATIVE_INFINITY;
  /** How many of the engine's changes the storage had when #room was found. */
  #changes = 0;
  #looking: Promise<void> | null = null;
  /** Why the last write failed; null when it succeeded. */
  #failure: Failure | null = null;
  #failedMs = 0;
  /** Whether the storage alone has failed, in the background: commands have not seen that yet. */
  #isOfStorage = false;
  /** The last look found no room. */
  #isFull = false;

  readonly #engine: Engine;
  readonly #runtime: Runtime;

  constructor(engine: Engine, runtime: Runtime) {
    this.#engine = engine;
    this.#runtime = runtime;
  }

  get health(): Health {
    const failure = this.#failure;
    const left = this.#room === null ? 0 : this.#leftBytes(this.#room);
    return {
      trouble: failure?.trouble ?? (this.#isFull || left <= 0 ? 'full' : null),
      reason: failure?.reason ?? (this.#isFull || left <= 0 ? 'no room but what is kept for removals' : ''),
      freeBytes: Math.max(0, left),
      totalBytes: this.#room?.totalBytes ?? 0,
    };
  }

  /** Whether a command may be applied, by what is known without asking the disk. On the way of every command. */
  mayApply(takesRoom: boolean): boolean {
    if (this.#failureFor(takesRoom) !== null || this.#room === null) return false;
    if (!takesRoom) return true;
    if (this.#ageMs > LOOK_INTERVAL_MS) this.#lookInBackground();
    return !this.#isFull && this.#leftBytes(this.#room) > 0;
  }

  /** Why a command can't be applied, after asking the disk; null when it can. */
  async refusal(takesRoom: boolean): Promise<FileError | null> {
    if (this.#failureFor(takesRoom) !== null) await this.#tryAgain();
    const failure = this.#failureFor(takesRoom);
    if (failure !== null) return refusalOf(failure);
    if (!takesRoom || (await this.#hasRoom())) return null;
    return refusalOf(this.#failure ?? { trouble: 'full', reason: this.health.reason });
  }

  /** A write has failed. */
  failed(error: unknown): void {
    const failure = failureOf(error);
    this.#isOfStorage = false;
    this.#failedMs = this.#runtime.clock.monotonicMs();
    if (this.#failure?.trouble !== failure.trouble) this.#runtime.log.error('metadata.disk_trouble', { ...failure });
    this.#failure = failure;
  }

  /** A write has stored all changes. */
  worked(): void {
    if (this.#failure === null) return;
    this.#failure = null;
    this.#isOfStorage = false;
    this.#runtime.log.info('metadata.disk_recovered', {});
  }

  /** Looks how much room there is, once for all who call meanwhile. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  get #ageMs(): number {
    return this.#runtime.clock.monotonicMs() - this.#lookedMs;
  }

  /** A full disk does not stop removals: room is reserved for them, and they free more. */
  #failureFor(takesRoom: boolean): Failure | null {
    return this.#failure?.trouble === 'full' && !takesRoom ? null : this.#failure;
  }

  /** Each row that was changed since the last look may have taken a page. */
  #leftBytes({ leftBytes }: Room): number {
    return leftBytes - (this.#engine.changes - this.#changes) * ROW_BYTES;
  }

  async #look(): Promise<void> {
    const { changes, uncommittedKeys } = this.#engine;
    try {
      this.#room = await this.#engine.room();
      this.#changes = changes - uncommittedKeys;
      this.#noteStorage(this.#room.failure);
    } catch (error) {
      rethrowProgramFault(error);
      this.failed(error);
    }
    this.#lookedMs = this.#runtime.clock.monotonicMs();
  }

  /** What is written in the background has failed, or works again. */
  #noteStorage(error: Error | null): void {
    if (error !== null && this.#failure === null) {
      this.failed(error);
      this.#isOfStorage = true;
    } else if (error === null && this.#isOfStorage) {
      this.worked();
    }
  }

  #lookInBackground(): void {
    void this.look();
  }

  /** Tries the failed write again, not more often than DISK_RETRY_MS. */
  async #tryAgain(): Promise<void> {
    if (this.#runtime.clock.monotonicMs() - this.#failedMs < DISK_RETRY_MS) return;
    await this.#tryCheckpoint();
  }

  /** Runs a checkpoint and notes whether it succeeded. Never rejects. */
  async #tryCheckpoint(): Promise<void> {
    try {
      await this.#engine.checkpoint();
      this.worked();
    } catch (error) {
      rethrowProgramFault(error);
      this.failed(error);
    }
  }

  async #hasRoom(): Promise<boolean> {
    if (this.#isFull && this.#ageMs < FULL_LOOK_INTERVAL_MS) return false;
    await this.look();
    if (this.#room !== null && this.#leftBytes(this.#room) <= 0 && this.#failure === null) {
      // Rows that wait for a checkpoint are counted as whole pages, which is too much.
      await this.#tryCheckpoint();
      await this.look();
    }
    if (this.#failure !== null && this.#failure.trouble !== 'full') return false;
    const hasRoom = this.#room !== null && this.#leftBytes(this.#room) > 0;
    if (!hasRoom && !this.#isFull) this.#runtime.log.error('metadata.disk_full', { ...this.#room });
    if (hasRoom && this.#isFull) this.#runtime.log.info('metadata.disk_has_room', { ...this.#room });
    this.#isFull = !hasRoom;
    return hasRoom;
  }
}

function failureOf(error: unknown): Failure {
  return { trouble: diskTrouble(error), reason: messageOf(error) };
}

function refusalOf({ trouble, reason }: Failure): FileError {
  return new FileError(REFUSALS[trouble], `the metaserver's disk is ${trouble}: ${reason}`);
}
