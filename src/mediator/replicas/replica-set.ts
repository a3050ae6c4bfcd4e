// All replicas of the cluster: follows their connections, has those that
// appear admitted (admission.ts), asks idle ones whether they still answer,
// and lets others wait until enough can be reached.
import { ServiceError } from '../../protocol/errors.js';
import type { DataServerState } from '../../protocol/services/admin.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import type { Remote } from '../../protocol/wire/client.js';
import { firstAttempt } from '../../protocol/wire/first-attempt.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { sleep, type Timer } from '../../runtime/clock.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Tenure } from '../epochs/tenure.js';
import { Admission } from './admission.js';
import { Replica } from './replica.js';

/** How often an idle server is asked whether it still answers. */
const HEARTBEAT_MS = 1000;
/** Once enough servers are let in, the others get so long: one that hangs holds up no start. */
const STRAGGLER_MS = 300;
/** After a server has fallen silent: a cut may have ended just then, and a lost first packet is sent again after a second. */
const RETURN_MS = 1500;
/** A server that has answered within this time counts as alive without being asked. */
const FRESH_MS = 100;

export interface ReplicaParts {
  name: string;
  address: string;
  remote: Remote;
}

interface ReplicaSetParts {
  metadata: MetadataService;
  deadlineMs: number;
  /** Of this mediator, as it introduces itself. */
  tenure: Tenure | undefined;
  runtime: Runtime;
}

export class ReplicaSet {
  readonly replicas: readonly Replica[];
  #clusterId = '';
  #closed = false;
  #heartbeat: Timer | null = null;
  #admissions = 0;
  /** On the monotonic clock. */
  #lastSilenceMs = Number.NEGATIVE_INFINITY;
  readonly #admission: Admission;
  /** They look again after each change of a replica. */
  readonly #waiters = new Set<() => void>();
  readonly #listeners: ((replica: Replica) => void)[] = [];

  readonly #deadlineMs: number;
  readonly #runtime: Runtime;

  constructor(parts: readonly ReplicaParts[], { metadata, deadlineMs, tenure, runtime }: ReplicaSetParts) {
    this.#admission = new Admission({ metadata, deadlineMs, tenure, runtime });
    this.#deadlineMs = deadlineMs;
    this.#runtime = runtime;
    this.replicas = parts.map(
      ({ name, address, remote }) =>
        new Replica(
          name,
          address,
          remote,
          runtime.clock,
          (replica, before) => this.#changed(replica, before),
          () => tenure?.doubt(),
        ),
    );
  }

  /** Connects to all; resolves when each has been admitted or has failed once, or when `enough` are admitted and the others hang. */
  async start(clusterId: string, enough: number): Promise<void> {
    this.#clusterId = clusterId;
    for (const replica of this.replicas) {
      replica.remote.onStateChange((state) => {
        if (state === 'up') {
          void this.#admission.admit(replica, clusterId);
        } else {
          replica.losses++;
          if (replica.remote.fellSilent) this.#lastSilenceMs = this.#runtime.clock.monotonicMs();
          replica.refusal = null;
          replica.state = 'down';
        }
      });
    }
    const all = Promise.all(
      this.replicas.map(async (replica) => {
        await firstAttempt(replica.remote, this.#runtime.clock, this.#deadlineMs);
        if (replica.remote.state === 'up') await this.#admission.admit(replica, clusterId);
      }),
    );
    await Promise.race([all, this.untilReachable(enough).then(() => sleep(this.#runtime.clock, STRAGGLER_MS))]);
    this.#scheduleHeartbeat();
  }

  close(): void {
    this.#closed = true;
    this.#heartbeat?.cancel();
    this.#wake();
  }

  byName(name: string): Replica {
    const replica = this.replicas.find((candidate) => candidate.name === name);
    if (replica === undefined) {
      const known = this.replicas.map((candidate) => candidate.name).join(', ');
      throw new ServiceError('FAILED', `no data server ${name}; there are ${known}`);
    }
    return replica;
  }

  reachable(): Replica[] {
    return this.replicas.filter((replica) => replica.reachable);
  }

  /** Resolves when `count` servers can be reached; at once if so. Rejects with CANCELLED when closed. */
  async untilReachable(count: number): Promise<void> {
    while (this.reachable().length < count) {
      if (this.#closed) throw new ServiceError('CANCELLED', 'the mediator is closing');
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }

  /** How often a server was let in. */
  get admissions(): number {
    return this.#admissions;
  }

  /**
   * Resolves when all servers are back that fell silent a moment ago, or `enough` can be reached, or it takes too long; at once when
   * there is nobody to wait for.
   */
  async untilSettled(enough: number): Promise<void> {
    const leftMs = this.#lastSilenceMs + RETURN_MS - this.#runtime.clock.monotonicMs();
    if (leftMs <= 0) return;
    let isLate = false;
    const timer = this.#runtime.clock.after(leftMs, () => {
      isLate = true;
      this.#wake();
    });
    try {
      for (;;) {
        const mayReturn = this.replicas.some(
          ({ reachable, remote }) => !reachable && (remote.fellSilent || remote.state === 'up'),
        );
        if (!mayReturn || isLate || this.#closed || this.reachable().length >= enough) return;
        await new Promise<void>((resolve) => this.#waiters.add(resolve));
      }
    } finally {
      timer.cancel();
    }
  }

  /**
   * Whether `count` servers really answer now. Those that have not answered in the last FRESH_MS are asked; one that hangs
   * makes this take until its deadline.
   */
  async confirm(count: number): Promise<boolean> {
    const sinceMs = this.#runtime.clock.monotonicMs() - FRESH_MS;
    const stale = this.reachable().filter((replica) => replica.lastAnswerMs < sinceMs);
    await Promise.all(stale.map((replica) => this.#beat(replica)));
    return this.reachable().length >= count;
  }

  /**
   * Resolves when the server has been admitted over a connection made after `losses` connections were lost; at once if so.
   * @throws ServiceError FAILED when that takes longer than `limitMs`, CANCELLED when closed
   */
  async untilBack(replica: Replica, losses: number, limitMs: number): Promise<void> {
    let isLate = false;
    const timer = this.#runtime.clock.after(limitMs, () => {
      isLate = true;
      this.#wake();
    });
    try {
      while (!replica.reachable || replica.losses < losses) {
        if (this.#closed) throw new ServiceError('CANCELLED', 'the mediator is closing');
        if (isLate) {
          const reason =
            replica.refusal ?? (replica.reachable ? 'its old process still answers' : 'it does not answer');
          throw new ServiceError('FAILED', `the mediator does not have ${replica.name} back: ${reason}`);
        }
        await new Promise<void>((resolve) => this.#waiters.add(resolve));
      }
    } finally {
      timer.cancel();
    }
  }

  /** Updates `store` of all reachable replicas, of those that answer within `limitMs`. */
  async refresh(limitMs: number): Promise<void> {
    const all = Promise.all(this.reachable().map((replica) => this.#beat(replica)));
    await new Promise<void>((resolve) => {
      const timer = this.#runtime.clock.after(limitMs, resolve);
      void all.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** `listener` is called after every change of a replica's state. */
  onChange(listener: (replica: Replica) => void): void {
    this.#listeners.push(listener);
  }

  /** See Admission.markComplete. */
  markComplete(replica: Replica): Promise<void> {
    return this.#admission.markComplete(replica);
  }

  /** Over all replicas, since the mediator started. */
  totals(): { dissents: number; repairs: number } {
    const totals = { dissents: 0, repairs: 0 };
    for (const { dissents, repairs } of this.replicas) {
      totals.dissents += dissents;
      totals.repairs += repairs;
    }
    return totals;
  }

  #changed(replica: Replica, before: DataServerState): void {
    const fields = { server: replica.name, address: replica.address, before };
    if (before === 'down') this.#admissions++;
    // After `close` all connections end, whatever the servers do.
    if (this.#closed) this.#runtime.log.debug(`replica.${replica.state}`, fields);
    else if (replica.state === 'down') this.#runtime.log.warn('replica.down', fields);
    else if (replica.state === 'blank') this.#runtime.log.warn('replica.blank', fields);
    else this.#runtime.log.info(`replica.${replica.state}`, fields);
    this.#wake();
    for (const listener of this.#listeners) listener(replica);
  }

  #wake(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }

  #scheduleHeartbeat(): void {
    if (this.#closed) return;
    this.#heartbeat = this.#runtime.clock.after(HEARTBEAT_MS, () => {
      void Promise.all(this.replicas.map((replica) => this.#beat(replica))).then(() => this.#scheduleHeartbeat());
    });
  }

  async #beat(replica: Replica): Promise<void> {
    if (replica.remote.state !== 'up') return;
    if (!replica.reachable) return this.#admission.admit(replica, this.#clusterId);
    try {
      replica.store = await replica.call(() => replica.blocks.status({}, { deadlineMs: this.#deadlineMs }));
    } catch (error) {
      this.#runtime.log.debug('replica.silent', { server: replica.name, ...errorFields(error) });
    }
  }
}
