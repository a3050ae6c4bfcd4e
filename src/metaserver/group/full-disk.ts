// A leader whose disk is full hands over to a voter whose disk has room: programs need not get ENOSPC while one of them can store.
import { askStatuses } from '../../protocol/services/group-statuses.js';
import type { MemberId } from '../../replication/core/members.js';
import type { Peers } from '../../replication/link/peers.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Storage } from '../engine/storage.js';

const LOOK_MS = 500;
const STATUS_DEADLINE_MS = 1000;
/** Who takes over must be able to keep it. */
const ENOUGH_BYTES = 64 * 1024 * 1024;
/** After an attempt: the disks may be one and the same. */
const PAUSE_MS = 30_000;

export interface Candidate {
  readonly name: string;
  readonly freeBytes: number;
}

export interface FullDiskParts {
  storage: Pick<Storage, 'room' | 'checkpoint'>;
  isServing: () => boolean;
  /** The other voters that answer and have no trouble. */
  candidates: () => Promise<Candidate[]>;
  handOver: (name: string) => Promise<void>;
  runtime: Runtime;
}

/** Those of the members that answer and have no trouble. */
export async function untroubled(members: readonly MemberId[], peers: Peers): Promise<Candidate[]> {
  const others = peers.all.filter(({ greeting }) => members.includes(greeting?.id ?? ''));
  const statuses = await askStatuses(
    others.map(({ service }) => service),
    STATUS_DEADLINE_MS,
  );
  return others.flatMap(({ name }, at) => {
    const status = statuses[at];
    const isWell = status !== undefined && !(status instanceof Error) && status.trouble === null;
    return isWell ? [{ name, freeBytes: status.freeBytes }] : [];
  });
}

export class FullDisk {
  #timer: Timer;
  #isClosed = false;

  readonly #parts: FullDiskParts;

  constructor(parts: FullDiskParts) {
    this.#parts = parts;
    this.#timer = this.#after(LOOK_MS);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer.cancel();
  }

  #after(ms: number): Timer {
    const { clock, log } = this.#parts.runtime;
    return clock.after(ms, () => {
      void this.#look()
        .catch((error: unknown) => {
          rethrowProgramFault(error);
          log.warn('replication.not_handed_over', errorFields(error));
          return PAUSE_MS;
        })
        .then((pauseMs) => {
          if (!this.#isClosed) this.#timer = this.#after(pauseMs);
        });
    });
  }

  /** @returns after how long to look again */
  async #look(): Promise<number> {
    const { isServing, candidates, handOver, runtime } = this.#parts;
    if (!isServing() || !(await this.#isFull())) return LOOK_MS;
    const [best] = (await candidates()).sort((left, right) => right.freeBytes - left.freeBytes);
    if (best === undefined || best.freeBytes < ENOUGH_BYTES || !isServing() || this.#isClosed) return LOOK_MS;
    runtime.log.warn('replication.disk_full', { to: best.name, freeBytes: best.freeBytes });
    await handOver(best.name);
    return PAUSE_MS;
  }

  async #isFull(): Promise<boolean> {
    const { storage } = this.#parts;
    if ((await storage.room()).leftBytes > 0) return false;
    // Rows that wait for a checkpoint are counted as whole pages, which is too much.
    await storage.checkpoint();
    return (await storage.room()).leftBytes <= 0;
  }
}
