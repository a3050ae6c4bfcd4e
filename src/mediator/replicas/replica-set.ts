// All replicas: who is reachable, who must be rebuilt, and how a server that
// (re)appears is let in. Must never let in a server of another cluster, nor
// take one with an unknown store for complete.
import { ServiceError } from '../../protocol/errors.js';
import type { DataServerState } from '../../protocol/services/admin.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import type { Remote } from '../../protocol/wire/client.js';
import { errorFields, messageOf } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import type { Runtime } from '../../runtime/runtime.js';
import { Replica } from './replica.js';

/** How often an idle server is asked whether it still answers. */
const HEARTBEAT_MS = 1000;
/** Who has answered so lately counts as alive without being asked again. */
const FRESH_MS = 100;

export interface ReplicaParts {
  name: string;
  address: string;
  remote: Remote;
}

export class ReplicaSet {
  readonly replicas: readonly Replica[];
  #clusterId = '';
  #closed = false;
  #heartbeat: Timer | null = null;
  readonly #admissions = new Map<Replica, Promise<void>>();
  readonly #waiters = new Set<() => void>();
  readonly #listeners: ((replica: Replica) => void)[] = [];

  readonly #metadata: MetadataService;
  readonly #deadlineMs: number;
  readonly #runtime: Runtime;

  constructor(parts: readonly ReplicaParts[], metadata: MetadataService, deadlineMs: number, runtime: Runtime) {
    this.#metadata = metadata;
    this.#deadlineMs = deadlineMs;
    this.#runtime = runtime;
    this.replicas = parts.map(
      ({ name, address, remote }) =>
        new Replica(name, address, remote, runtime.clock, (replica, before) => this.#changed(replica, before)),
    );
  }

  /** Connects to all; resolves when each has been let in or has failed once. */
  async start(clusterId: string): Promise<void> {
    this.#clusterId = clusterId;
    for (const replica of this.replicas) {
      replica.remote.onStateChange((state) => {
        if (state === 'up') {
          void this.#admit(replica);
        } else {
          replica.losses++;
          replica.refusal = null;
          replica.state = 'down';
        }
      });
    }
    await Promise.all(
      this.replicas.map(async (replica) => {
        if (replica.remote.state === 'connecting') await this.#settled(replica);
        if (replica.remote.state === 'up') await this.#admit(replica);
      }),
    );
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

  /**
   * Whether `count` servers really answer now. One that has answered lately need not be asked; one that hangs is found out
   * only when its deadline has passed.
   */
  async confirm(count: number): Promise<boolean> {
    const sinceMs = this.#runtime.clock.monotonicMs() - FRESH_MS;
    const stale = this.reachable().filter((replica) => replica.heardMs < sinceMs);
    await Promise.all(stale.map((replica) => this.#beat(replica)));
    return this.reachable().length >= count;
  }

  /**
   * Resolves when a server has been let in over a connection made after `losses` of them were lost; at once if so.
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

  /** Brings `store` of all reachable replicas up to date, as far as they answer within `limitMs`. */
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

  /** The rebuild of a replica is complete: it counts as up from now on. */
  async completed(replica: Replica): Promise<void> {
    if (replica.store === null) return;
    await this.#metadata.execute({
      name: 'registerServer',
      timeNs: this.#runtime.clock.nowNs(),
      request: { name: replica.name, storeId: replica.store.storeId, state: 'complete' },
      durable: true,
    });
    replica.rebuild = null;
    if (replica.reachable) replica.state = 'up';
  }

  #changed(replica: Replica, before: DataServerState): void {
    const fields = { server: replica.name, address: replica.address, before };
    // After `close` the connections end, which says nothing about the servers.
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

  /** Waits until the first attempt to connect has ended one way or the other. */
  #settled(replica: Replica): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#runtime.clock.after(this.#deadlineMs, resolve);
      replica.remote.onStateChange(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** Lets a server in that is connected; one attempt at a time per server. */
  #admit(replica: Replica): Promise<void> {
    const running = this.#admissions.get(replica);
    if (running !== undefined) return running;
    const admission = this.#tryToAdmit(replica)
      .catch((error: unknown) => {
        this.#runtime.log.warn('replica.refused', { server: replica.name, ...errorFields(error) });
        replica.refusal = messageOf(error);
        replica.state = 'down';
      })
      .finally(() => this.#admissions.delete(replica));
    this.#admissions.set(replica, admission);
    return admission;
  }

  async #tryToAdmit(replica: Replica): Promise<void> {
    let store = await replica.blocks.status({}, { deadlineMs: this.#deadlineMs });
    if (store.name !== replica.name) {
      throw new ServiceError('REFUSED', `the server at ${replica.address} calls itself ${store.name}`);
    }
    if (store.clusterId === null) {
      store = await replica.blocks.adopt({ clusterId: this.#clusterId }, { deadlineMs: this.#deadlineMs });
    }
    if (store.clusterId !== this.#clusterId) {
      throw new ServiceError('REFUSED', `its store belongs to cluster ${store.clusterId}, this is ${this.#clusterId}`);
    }
    const { servers } = await this.#metadata.query({ name: 'servers', request: {} });
    const record = servers.find((server) => server.name === replica.name);
    const { blocks } = await this.#metadata.query({ name: 'statistics', request: {} });
    const isBlank = record?.storeId !== store.storeId || (store.blocks === 0 && blocks > 0);
    if (isBlank) {
      await this.#metadata.execute({
        name: 'registerServer',
        timeNs: this.#runtime.clock.nowNs(),
        request: { name: replica.name, storeId: store.storeId, state: blocks === 0 ? 'complete' : 'rebuilding' },
        durable: true,
      });
    }
    replica.store = store;
    replica.refusal = null;
    if (isBlank && blocks > 0) replica.state = 'blank';
    else if (!isBlank && record?.state === 'rebuilding') replica.state = 'rebuilding';
    else replica.state = 'up';
  }

  #scheduleHeartbeat(): void {
    if (this.#closed) return;
    this.#heartbeat = this.#runtime.clock.after(HEARTBEAT_MS, () => {
      void Promise.all(this.replicas.map((replica) => this.#beat(replica))).then(() => this.#scheduleHeartbeat());
    });
  }

  async #beat(replica: Replica): Promise<void> {
    if (replica.remote.state !== 'up') return;
    if (!replica.reachable) return this.#admit(replica);
    try {
      replica.store = await replica.call(() => replica.blocks.status({}, { deadlineMs: this.#deadlineMs }));
    } catch (error) {
      this.#runtime.log.debug('replica.silent', { server: replica.name, ...errorFields(error) });
    }
  }
}
