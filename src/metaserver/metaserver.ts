// A metaserver without its network: answers MetaserverService while it leads.

import { ServiceError } from '../protocol/errors.js';
import type { XmlRpcMethods } from '../protocol/http/xml-rpc.js';
import { Fence } from '../protocol/services/fence.js';
import type { MetaserverService } from '../protocol/services/metadata.js';
import type { CallOptions } from '../protocol/services/service.js';
import { errorFields } from '../runtime/caught-errors.js';
import { rethrowProgramFault } from '../runtime/faults.js';
import { sparingRepetitions } from '../runtime/repeated-log.js';
import type { Runtime } from '../runtime/runtime.js';
import { SerialQueue } from '../runtime/serial-queue.js';
import type { EngineFactory, Storage } from './engine/storage.js';
import { LedNamespace, type NamespaceSettings } from './led-namespace.js';
import { type DiskRoom, type GroupPlace, Metrics } from './metrics.js';
import { claimedField, claimedName } from './requests/claims.js';
import { metaserverMethods } from './xml-rpc.js';

export interface MetaserverOptions {
  /** Where the namespace is kept; made when it is missing. */
  directory: string;
  /** Whose the root is when the namespace is made; the superuser's when absent. */
  rootOwner?: { uid: number; gid: number };
  /** How long an answered command may stay in memory only, unless its caller waits for durability. Default 50. */
  commitIntervalMs?: number;
}

export interface Metaserver {
  readonly metadata: MetaserverService;
  readonly xmlRpc: XmlRpcMethods;
  /** Prometheus text. */
  metrics(): Promise<string>;
  /** Everything answered is durable when it resolves. Rejects, and is closed all the same, when the disk takes nothing. */
  close(): Promise<void>;
}

const COMMIT_INTERVAL_MS = 50;
const LEAD_RETRY_MS = 1000;

/** Events that retries would log again and again: see runtime/repeated-log.ts. */
export const LOOPS = [
  'metadata.commit_failed',
  'metadata.take_over_failed',
  'metadata.not_led',
  'metadata.row_damaged',
  'replication.log_unprepared',
  'replication.not_greeted',
  'replication.state_not_sent',
  'metadata.command_failed',
  'mediator.fenced',
];

/** Opens the namespace of a server that is alone, making it at the first start. Fails when the store can't be opened. */
export async function openMetaserver(
  options: MetaserverOptions,
  given: Runtime,
  engineFactory: EngineFactory,
): Promise<Metaserver> {
  const runtime = sparingRepetitions(given, LOOPS);
  const host = new NamespaceHost(options, runtime);
  await host.begin(await engineFactory(options.directory, runtime));
  return host;
}

/** Offers the namespace whenever this server leads, and says who does otherwise. */
export class NamespaceHost implements Metaserver {
  readonly metadata: MetaserverService;
  readonly xmlRpc: XmlRpcMethods;
  readonly #metrics: Metrics;
  #storage: Storage | null = null;
  /** null while another server leads. */
  #led: LedNamespace | null = null;
  /** How often this server has begun to lead, or ceased to. */
  #changes = 0;
  /** How often this server has been ready to answer. */
  #reigns = 0;
  /** The last call that waits until it is certain that this server leads. */
  #waiting: Promise<LedNamespace> | null = null;
  /** Connections that have asked since then by `statistics`, with `identifies`, which process this is. */
  #introduced = new WeakSet<object>();
  readonly #fence: Fence;
  /** Beginning to lead, and closing. */
  readonly #queue = new SerialQueue();
  #isClosed = false;
  #closing: Promise<void> | null = null;

  readonly #settings: NamespaceSettings;
  readonly #runtime: Runtime;

  constructor({ rootOwner, commitIntervalMs }: MetaserverOptions, runtime: Runtime) {
    this.#settings = {
      rootOwner: rootOwner ?? { uid: 0, gid: 0 },
      commitIntervalMs: commitIntervalMs ?? COMMIT_INTERVAL_MS,
    };
    this.#runtime = runtime;
    this.#fence = new Fence(runtime.log);
    this.#metrics = new Metrics(
      () => this.#led?.uncommittedRows ?? 0,
      () => this.#led?.statistics,
    );
    // Every member of a served object can be called over the network: this one has the service's members and no others.
    this.metadata = {
      execute: async (message, options) =>
        (await this.#leading(claimedName(message), options)).execute(message, options),
      executeAll: async (message, options) => (await this.#leading('executeAll', options)).executeAll(message, options),
      query: async (message, options) => {
        const name = claimedName(message);
        if (name === 'statistics' && claimedField(message, 'identifies') === true) this.#introduce(options);
        return (await this.#leading(name, options)).query(message, options);
      },
      sync: async (_request, options) => (await this.#leading('sync', options)).sync(options),
    } as MetaserverService;
    this.xmlRpc = metaserverMethods(this.metadata);
  }

  /** From now on `storage` is this server's. Resolves when the namespace can be used, if this server leads. */
  async begin(storage: Storage): Promise<void> {
    this.#storage = storage;
    storage.leadership?.onChange(() => this.#changed());
    if (storage.leadership?.isServing === false) return;
    try {
      await this.#queue.run(() => this.#lead(storage));
    } catch (error) {
      await storage.close();
      throw error;
    }
  }

  /** Whether this server answers, for sure. */
  get isServing(): boolean {
    return this.#led !== null && (this.#storage?.leadership?.isCertain ?? true);
  }

  /** Shows in the metrics where the group is, as this server sees it, and the room on its disk. */
  showGroup(place: () => GroupPlace, disk: () => Promise<DiskRoom>): void {
    this.#metrics.showGroup(place, disk);
  }

  metrics(): Promise<string> {
    return this.#metrics.text();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /**
   * What carries out commands and answers queries, once it is certain that no other server does. Calls go on in the order in which
   * they came: a mediator does not wait for the answer to one message of answered commands before it sends the next.
   */
  #leading(name: string, options: CallOptions | undefined): LedNamespace | Promise<LedNamespace> {
    const led = this.#led;
    if (led === null || !this.#knowsReign(name, options)) throw this.#refusal();
    const leadership = this.#storage?.leadership;
    const before = this.#waiting;
    if (leadership === undefined || (leadership.isCertain && before === null)) return led;
    const waiting = Promise.all([leadership.confirm(), before]).then(() => led);
    this.#waiting = waiting;
    // Right before the call itself goes on: none that comes in between finds nobody waiting.
    const isOver = () => {
      if (this.#waiting === waiting) this.#waiting = null;
    };
    waiting.then(isOver, isOver);
    return waiting;
  }

  #introduce(options: CallOptions | undefined): void {
    if (options?.peer !== undefined) this.#introduced.add(options.peer);
  }

  /**
   * What was answered and not durable is gone when this server has led before, and leads again. A mediator carries it out again as
   * soon as it sees that, which it does by the query `statistics` with `identifies`: it must ask that first.
   */
  #knowsReign(name: string, options: CallOptions | undefined): boolean {
    return (
      this.#reigns <= 1 ||
      name === 'mediator' ||
      name === 'takeOver' ||
      options?.peer === undefined ||
      this.#introduced.has(options.peer)
    );
  }

  #refusal(): ServiceError {
    if (this.#isClosed) return new ServiceError('CLOSING', 'the metaserver is closing');
    return this.#storage?.leadership?.notLeader() ?? new ServiceError('NOT_LEADER', 'no leader is known');
  }

  #changed(): void {
    this.#changes++;
    this.#led?.abandon(this.#refusal());
    this.#led = null;
    this.#beginToLead();
  }

  #beginToLead(): void {
    const storage = this.#storage;
    if (storage?.leadership?.isServing !== true || this.#isClosed) return;
    this.#queue
      .run(() => this.#lead(storage))
      .catch((error: unknown) => {
        rethrowProgramFault(error);
        this.#runtime.log.error('metadata.not_led', errorFields(error));
        this.#runtime.clock.after(LEAD_RETRY_MS, () => this.#beginToLead());
      });
  }

  async #lead(storage: Storage): Promise<void> {
    const changes = this.#changes;
    if (this.#isClosed || this.#led !== null || storage.leadership?.isServing === false) return;
    const led = await LedNamespace.open(storage, this.#settings, {
      metrics: this.#metrics,
      fence: this.#fence,
      runtime: this.#runtime,
    });
    // It may have lost the lead meanwhile, and won it again.
    if (changes !== this.#changes) {
      led.abandon(this.#refusal());
      return;
    }
    led.listen();
    this.#led = led;
    this.#reigns++;
    this.#introduced = new WeakSet();
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    await this.#queue.idle();
    const led = this.#led;
    this.#led = null;
    try {
      await led?.close();
      await this.#storage?.leadership?.handOver();
    } catch (error) {
      // As after a crash: what was answered and not stored is lost here, and mediators carry it out again where they see the next
      // history. With the others of a group gone or leading, that is in order.
      const isAlone = this.#storage?.leadership?.isServing !== false;
      this.#runtime.log[isAlone ? 'error' : 'info']('metadata.not_closed', errorFields(error));
      if (isAlone) throw error;
    } finally {
      await this.#storage?.close();
    }
  }
}
