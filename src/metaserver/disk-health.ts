// Whether the disk takes what commands change, and if not, why: commands are
// refused with that before they are applied, and status shows it.
import { FileError } from '../protocol/errors.js';
import { messageOf } from '../runtime/caught-errors.js';
import { type DiskTrouble, diskTrouble } from '../runtime/disk-trouble.js';
import { rethrowProgramFault } from '../runtime/faults.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Engine } from './engine/engine.js';
import { ROW_BYTES, type Room } from './engine/storage.js';

/** The room is looked up anew when the last look is older. What is written meanwhile finds the room that was taken ahead. */
const LOOK_INTERVAL_MS = 1000;
/** While the disk is full, commands that take room have it looked at again, no more often than this. */
const FULL_LOOK_INTERVAL_MS = 100;
/** How soon a disk that refused a write is tried again. */
export const DISK_RETRY_MS = 1000;

const REFUSALS = { full: 'ENOSPC', 'read-only': 'EROFS', failing: 'EIO' } as const;

export interface Health {
  trouble: DiskTrouble | null;
  /** In the system's words; empty without trouble. */
  reason: string;
  /** What changes may still take. */
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
  /** How many of the engine's changes `#room` knows of. */
  #changes = 0;
  #looking: Promise<void> | null = null;
  /** The last write was refused. */
  #failure: Failure | null = null;
  #failedMs = 0;
  /** A command was refused for lack of room, and no look has found any since. */
  #isFull = false;

  readonly #engine: Engine;
  readonly #runtime: Runtime;

  constructor(engine: Engine, runtime: Runtime) {
    this.#engine = engine;
    this.#runtime = runtime;
  }

  get health(): Health {
    const failure = this.#failure ?? this.#roomFailure;
    const left = this.#room === null ? 0 : this.#leftBytes(this.#room);
    return {
      trouble: failure?.trouble ?? (this.#isFull || left <= 0 ? 'full' : null),
      reason: failure?.reason ?? (this.#isFull || left <= 0 ? 'no room but what is kept for removals' : ''),
      freeBytes: Math.max(0, left),
      totalBytes: this.#room?.totalBytes ?? 0,
    };
  }

  /** Whether nothing stands against a command, by what is known. On the way of every command. */
  mayApply(takesRoom: boolean): boolean {
    if (this.#failureFor(takesRoom) !== null || this.#room === null) return false;
    if (!takesRoom) return true;
    if (this.#ageMs > LOOK_INTERVAL_MS) this.#lookInBackground();
    return !this.#isFull && this.#leftBytes(this.#room) > 0;
  }

  /** Why a command can't be applied, after trying and looking at the disk once more; null when it can. */
  async refusal(takesRoom: boolean): Promise<FileError | null> {
    if (this.#failureFor(takesRoom) !== null) await this.#tryAgain();
    const failure = this.#failureFor(takesRoom);
    if (failure !== null) return refusalOf(failure);
    if (!takesRoom || (await this.#hasRoom())) return null;
    return refusalOf(this.#failure ?? { trouble: 'full', reason: this.health.reason });
  }

  /** A write was refused. */
  failed(error: unknown): void {
    const failure = failureOf(error);
    this.#failedMs = this.#runtime.clock.monotonicMs();
    if (this.#failure?.trouble !== failure.trouble) this.#runtime.log.error('metadata.disk_trouble', { ...failure });
    this.#failure = failure;
  }

  /** All that was changed is stored. */
  worked(): void {
    if (this.#failure === null) return;
    this.#failure = null;
    this.#runtime.log.info('metadata.disk_recovered', {});
  }

  /** Looks how much room there is, once for all who ask meanwhile. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  get #ageMs(): number {
    return this.#runtime.clock.monotonicMs() - this.#lookedMs;
  }

  /** A write that found no room stands in the way of no removal: room was kept for those, and less is to be stored afterwards. */
  #failureFor(takesRoom: boolean): Failure | null {
    return this.#failure?.trouble === 'full' && !takesRoom ? null : this.#failure;
  }

  get #roomFailure(): Failure | null {
    return this.#room === null || this.#room.failure === null ? null : failureOf(this.#room.failure);
  }

  /** Each row that was changed since the look may take a page. */
  #leftBytes({ leftBytes }: Room): number {
    return leftBytes - (this.#engine.changes - this.#changes) * ROW_BYTES;
  }

  async #look(): Promise<void> {
    const { changes, uncommittedKeys } = this.#engine;
    try {
      this.#room = await this.#engine.room();
      this.#changes = changes - uncommittedKeys;
    } catch (error) {
      rethrowProgramFault(error);
      this.failed(error);
    }
    this.#lookedMs = this.#runtime.clock.monotonicMs();
  }

  #lookInBackground(): void {
    void this.look();
  }

  /** Offers the disk again what it has refused, no more often than every DISK_RETRY_MS. */
  async #tryAgain(): Promise<void> {
    if (this.#runtime.clock.monotonicMs() - this.#failedMs < DISK_RETRY_MS) return;
    await this.settle();
  }

  /** Has everything stored in its last place, and sees what becomes of it. Rejects with a program's fault only. */
  async settle(): Promise<void> {
    try {
      await this.#engine.settle();
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
      // A row that is not stored yet counts as a page, which is more than it takes.
      await this.settle();
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
