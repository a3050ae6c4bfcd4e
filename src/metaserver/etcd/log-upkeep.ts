// What keeps the log in etcd small. Each metaserver notes up to where its own database has everything. The leader removes the
// entries that all of them have, and what etcd remembers of keys that were replaced.
import { errorFields } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { EtcdMember } from './etcd-member.js';
import type { ReplicaValue } from './keys.js';
import type { SharedLog } from './shared-log.js';

const INTERVAL_MS = 1000;
/** Others that use the same etcd may look so far back. */
const HISTORY_MS = 60_000;
/** A metaserver that lacks more gets the whole state instead. Less than what etcd takes in all, 2 GiB by default. */
const KEPT_BYTES = 256 * 1024 * 1024;

const NOTHING: ReplicaValue = { index: 0, bytes: 0 };

export interface LogUpkeepParts {
  name: string;
  /** All that are configured. */
  names: readonly string[];
  log: SharedLog;
  member: EtcdMember;
  /** What the own database has; null while an earlier process has noted it. */
  stored: () => ReplicaValue | null;
  /** A state is being sent, which the entries behind it belong to. */
  isSending: () => boolean;
  runtime: Runtime;
}

export class LogUpkeep {
  #timer: Timer | null = null;
  #isClosed = false;
  #working: Promise<void> = Promise.resolve();
  /** What was noted last. */
  #noted = -1;
  /** Taken out while this process runs. */
  readonly #removed = new Set<string>();
  #trimmedBelow = 0;
  #history: { revision: number; atMs: number } | null = null;

  readonly #parts: LogUpkeepParts;

  constructor(parts: LogUpkeepParts) {
    this.#parts = parts;
  }

  async forget(name: string): Promise<void> {
    this.#removed.add(name);
    await this.#parts.log.forgetReplica(name);
  }

  start(): void {
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#working;
  }

  #schedule(): void {
    if (this.#isClosed) return;
    this.#timer = this.#parts.runtime.clock.after(INTERVAL_MS, () => {
      this.#working = this.#work()
        .catch((error: unknown) => {
          rethrowProgramFault(error);
          this.#parts.runtime.log.warn('etcd.upkeep_failed', errorFields(error));
        })
        .finally(() => this.#schedule());
    });
  }

  async #work(): Promise<void> {
    const { name, log, member, stored } = this.#parts;
    if (member.look === null || member.trouble !== null) return;
    const now = stored();
    if (now !== null && now.index !== this.#noted) {
      await log.noteReplica(name, now);
      this.#noted = now.index;
    }
    if (member.reign === null) return;
    await this.#trim();
    await this.#forgetHistory();
  }

  async #trim(): Promise<void> {
    const { names, log, member, isSending } = this.#parts;
    const known = await log.replicas();
    // Who has never said anything has nothing.
    const replicas = names.filter((each) => !this.#removed.has(each)).map((each) => known.get(each) ?? NOTHING);
    const { reign } = member;
    if (reign === null || isSending()) return;
    const below = neededFrom(replicas, reign.head.bytes);
    if (below <= this.#trimmedBelow) return;
    await log.trim(below);
    this.#trimmedBelow = below;
  }

  async #forgetHistory(): Promise<void> {
    const { log, member, runtime } = this.#parts;
    const revision = member.reign?.revision ?? 0;
    const nowMs = runtime.clock.monotonicMs();
    this.#history ??= { revision, atMs: nowMs };
    if (nowMs - this.#history.atMs < HISTORY_MS) return;
    const due = this.#history;
    this.#history = { revision, atMs: nowMs };
    // Who else uses etcd may have done it; then the next one succeeds.
    if (revision > due.revision) await log.forgetHistory(due.revision);
  }
}

/** The first entry that somebody needs. */
function neededFrom(replicas: readonly ReplicaValue[], bytes: number): number {
  const near = replicas.filter((replica) => bytes - replica.bytes <= KEPT_BYTES);
  return near.length === 0 ? 0 : Math.min(...near.map(({ index }) => index)) + 1;
}
