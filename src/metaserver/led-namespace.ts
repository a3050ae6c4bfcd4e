// The namespace of a server that leads: the engine over the storage, and what carries out commands. A server that leads again has
// a new one, since another has changed the storage meanwhile.
import { Buffer } from 'node:buffer';
import { initialise } from '../namespace/initial-state.js';
import { statistics } from '../namespace/queries.js';
import { encodeCounters } from '../namespace/state/counters.js';
import { CLOSED_KEY, COUNTERS_KEY, HISTORY_KEY } from '../namespace/state/keys.js';
import { Tables } from '../namespace/state/tables.js';
import type { ServiceError } from '../protocol/errors.js';
import type { Fence } from '../protocol/services/fence.js';
import type { Command, MetaserverService } from '../protocol/services/metadata.js';
import type { CallOptions } from '../protocol/services/service.js';
import { randomHex } from '../runtime/random.js';
import type { Runtime } from '../runtime/runtime.js';
import { ActiveMediator } from './active-mediator.js';
import { DiskHealth } from './disk-health.js';
import { Engine } from './engine/engine.js';
import type { Storage } from './engine/storage.js';
import { Executor, isOfGroup, MAXIMUM_LOST_INODES } from './executor.js';
import type { Metrics } from './metrics.js';
import { claimedField, claimedName } from './requests/claims.js';
import { readCommand } from './requests/commands.js';

/** What a directory answers as its block size; files have their own. */
const ROOT_BLOCK_SIZE_BYTES = 4096;
const HISTORY_BYTES = 8;

export interface NamespaceSettings {
  /** Whose the root is when the namespace is made. */
  rootOwner: { uid: number; gid: number };
  /** How long an answered command may stay in memory only, unless its caller waits for durability. */
  commitIntervalMs: number;
}

interface Surroundings {
  metrics: Metrics;
  fence: Fence;
  runtime: Runtime;
}

type ExecuteMessage = Parameters<MetaserverService['execute']>[0];
type QueryMessage = Parameters<MetaserverService['query']>[0];

export class LedNamespace {
  readonly #executor: Executor;
  readonly #mediator: ActiveMediator;
  readonly #fence: Fence;
  readonly #engine: Engine;
  readonly #tables: Tables;
  readonly #disk: DiskHealth;
  readonly #runtime: Runtime;

  private constructor(storage: Storage, settings: NamespaceSettings, { metrics, fence, runtime }: Surroundings) {
    this.#engine = new Engine(storage);
    this.#tables = new Tables(this.#engine);
    this.#disk = new DiskHealth(this.#engine, runtime);
    this.#runtime = runtime;
    this.#fence = fence;
    this.#mediator = new ActiveMediator(this.#tables, fence, runtime.clock);
    const { commitIntervalMs } = settings;
    const mediatorSilentMs = () => this.#mediator.silentMs;
    const given = { runtime, metrics, commitIntervalMs, mediatorSilentMs };
    this.#executor = new Executor({ engine: this.#engine, tables: this.#tables, disk: this.#disk, ...given });
  }

  /** Resolves when what the start itself changes is durable: the namespace can be used. */
  static async open(storage: Storage, settings: NamespaceSettings, surroundings: Surroundings): Promise<LedNamespace> {
    const namespace = new LedNamespace(storage, settings, surroundings);
    await namespace.#start(settings.rootOwner);
    return namespace;
  }

  get uncommittedRows(): number {
    return this.#engine.uncommittedKeys;
  }

  get statistics(): ReturnType<typeof statistics> {
    return statistics(this.#tables);
  }

  /** It can be asked from now on. */
  listen(): void {
    this.#mediator.listen();
  }

  /** As MetaserverService. FENCED when the caller is a mediator that was replaced. */
  execute(message: ExecuteMessage, options: CallOptions | undefined): Promise<object> {
    const name = claimedName(message);
    this.#mediator.admit(name, options?.peer);
    return name === 'takeOver' ? this.#takeOver(message) : this.#executor.execute(message);
  }

  executeAll(
    message: Parameters<MetaserverService['executeAll']>[0],
    options: CallOptions | undefined,
  ): Promise<object> {
    this.#mediator.admit('executeAll', options?.peer);
    return this.#executor.executeAll(message);
  }

  query(message: QueryMessage, options: CallOptions | undefined): Promise<object> {
    const name = claimedName(message);
    const epoch = claimedField(message, 'epoch');
    const peer = options?.peer;
    if (name === 'statistics' && peer !== undefined && typeof epoch === 'number') this.#fence.introduce(peer, epoch);
    this.#mediator.admit(name, peer);
    return this.#executor.query(message);
  }

  sync(options: CallOptions | undefined): Promise<object> {
    this.#mediator.admit('sync', options?.peer);
    return this.#executor.sync();
  }

  /** Answers nothing any more; everything that was answered is durable when it resolves. The storage stays open. */
  async close(): Promise<void> {
    await this.#executor.close();
    this.#engine.transaction(() => this.#engine.put(CLOSED_KEY, Buffer.of(1)));
    await this.#engine.commit();
  }

  /** Another server leads. What was answered and is not durable is dropped. */
  abandon(why: ServiceError): void {
    this.#executor.abandon(why);
    // A commit that waits for its turn would write into a later reign of this server.
    this.#engine.retire(why);
  }

  /** Nothing of the active mediator may come between the look at its silence and the change: both are done at one moment. */
  async #takeOver(message: ExecuteMessage): Promise<object> {
    const { request } = readCommand(message) as Extract<Command, { name: 'takeOver' }>;
    if (!this.#executor.isPrompt || !this.#mediator.isVacantFor(request)) {
      return { taken: false, epoch: this.#tables.mediator().epoch };
    }
    const answered = this.#executor.execute(message);
    this.#mediator.look();
    return answered;
  }

  async #start(rootOwner: { uid: number; gid: number }): Promise<void> {
    const isNew = this.#tables.clusterId() === undefined;
    this.#engine.transaction(() => this.#begin(rootOwner));
    await this.#engine.commit().catch((error: unknown) => {
      // A member of a group that can't store does not lead for long.
      if (isNew || isOfGroup(error)) throw error;
      // No command is applied before this is stored, which is tried again; queries are answered.
      this.#disk.failed(error);
    });
    await this.#disk.look();
  }

  /**
   * A crash may have lost answered commands; then a new history begins. Clients may still use inodes that lost commands made:
   * their numbers must not come to name other files, so more numbers are skipped than a crash can lose.
   */
  #begin(rootOwner: { uid: number; gid: number }): void {
    const { clock, random, log } = this.#runtime;
    const tables = this.#tables;
    const { view } = tables;
    const clusterId = tables.clusterId();
    const wasClosed = view.get(CLOSED_KEY) !== undefined;
    if (clusterId === undefined) {
      const created = randomHex(random, 16);
      initialise(tables, created, clock.nowNs(), { blockSizeBytes: ROOT_BLOCK_SIZE_BYTES, ...rootOwner });
      log.info('metadata.created', { clusterId: created });
    } else if (wasClosed) {
      view.remove(CLOSED_KEY);
    } else {
      const counters = tables.counters();
      counters.nextInode += MAXIMUM_LOST_INODES;
      view.put(COUNTERS_KEY, encodeCounters(counters));
      log.info('metadata.recovered', { clusterId, nextInode: counters.nextInode });
    }
    // A store of an earlier version of nmrfs has no history yet, even when it was closed.
    if (!wasClosed || tables.history() === undefined) {
      view.put(HISTORY_KEY, Buffer.from(randomHex(random, HISTORY_BYTES), 'utf8'));
    }
  }
}
