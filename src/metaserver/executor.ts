// MetadataService over an engine: checks what arrives, applies commands one
// after the other, and decides when they reach the disk.
import { Buffer } from 'node:buffer';
import { FileError, malformed, ServiceError } from '../protocol/errors.js';
import type {
  Command,
  CommandName,
  Commands,
  MetadataService,
  Queries,
  QueryName,
} from '../protocol/services/metadata.js';
import type { Once } from '../protocol/services/request-ids.js';
import type { Timer } from '../runtime/clock.js';
import type { Runtime } from '../runtime/runtime.js';
import { SerialQueue } from '../runtime/serial-queue.js';
import { DISK_RETRY_MS, type DiskHealth } from './disk-health.js';
import type { Engine } from './engine/engine.js';
import type { Metrics } from './metrics.js';
import { applyOnce } from './namespace/once.js';
import { countMissed, type QueryHandlers, statistics, TABLE_QUERIES } from './namespace/queries.js';
import { takesRoom } from './namespace/takes-room.js';
import { readCommand } from './requests/commands.js';
import { readQuery } from './requests/queries.js';
import type { Tables } from './state/tables.js';

/** Changed rows in memory beyond which commands wait for the disk, so that memory stays flat and a crash loses little. */
const MAXIMUM_UNCOMMITTED_ROWS = 32_768;
/** More inodes than can be made and lost: those that wait, those being written, and the commands let in at the same moment. */
export const MAXIMUM_LOST_INODES = 4 * MAXIMUM_UNCOMMITTED_ROWS;
const START_ID_BYTES = 8;
/** Beyond this a commit starts without waiting for the interval. */
const EARLY_COMMIT_ROWS = 8_192;

/**
 * What a commit of the disk must precede: version numbers may never be given out twice, and data servers forget garbage for
 * good, so that the switch that made it garbage may not be lost.
 */
const DURABLE_COMMANDS: ReadonlySet<CommandName> = new Set(['allocate']);
const DURABLE_QUERIES: ReadonlySet<QueryName> = new Set(['garbage']);

export class Executor implements MetadataService {
  readonly #engine: Engine;
  readonly #tables: Tables;
  readonly #runtime: Runtime;
  readonly #metrics: Metrics;
  readonly #disk: DiskHealth;
  readonly #commitIntervalMs: number;
  readonly #queries: QueryHandlers;
  #timer: Timer | null = null;
  /** Commands that wait for the disk before they are applied. */
  readonly #queue = new SerialQueue();
  #queued = 0;
  /** How many have ever been queued. */
  #lastQueued = 0;
  /** Those that came up to this one, and waited for room when there came none. */
  #refused: { upTo: number; error: unknown } = { upTo: 0, error: null };
  /** Commands that were carried out or refused for good, and how many of them are stored. */
  #carriedOut = 0;
  #stored = 0;
  #state: 'open' | 'closed' = 'open';

  constructor(
    engine: Engine,
    tables: Tables,
    disk: DiskHealth,
    runtime: Runtime,
    metrics: Metrics,
    commitIntervalMs: number,
  ) {
    this.#engine = engine;
    this.#disk = disk;
    this.#tables = tables;
    this.#runtime = runtime;
    this.#metrics = metrics;
    this.#commitIntervalMs = commitIntervalMs;
    const start = Buffer.from(runtime.random.bytes(START_ID_BYTES)).toString('hex');
    this.#queries = {
      ...TABLE_QUERIES,
      statistics: (tables) => ({ ...statistics(tables), start }),
      health: (tables, { limit }) => ({ ...disk.health, missed: countMissed(tables, limit) }),
    };
    // What a start could not store.
    if (engine.uncommittedKeys > 0) this.#schedule();
  }

  async execute<K extends CommandName>(
    message: { name: K; timeNs: bigint; request: Commands[K]['request']; durable: boolean; again?: boolean } & Once,
  ): Promise<Commands[K]['result']> {
    this.#checkOpen();
    const command = readCommand(message);
    if (typeof message.durable !== 'boolean') throw malformed('durable is no boolean');
    // What was answered before a crash is carried out whatever the disk says: it is kept until the disk has it.
    const growth = message.again === true ? null : takesRoom(command);
    const mayApply = growth === null || this.#disk.mayApply(growth);
    const known = command as Extract<Command, { name: K }>;
    const result =
      this.#queued > 0 || this.#isFull || !mayApply
        ? await this.#applyQueued(growth, (refusal) => this.#apply(known, refusal))
        : this.#apply(known, null);
    if (message.durable || DURABLE_COMMANDS.has(command.name)) {
      await this.#commit();
    } else if (this.#engine.uncommittedKeys > EARLY_COMMIT_ROWS) {
      this.#commitInBackground();
    } else {
      this.#schedule();
    }
    return result;
  }

  async query<K extends QueryName>(message: {
    name: K;
    request: Queries[K]['request'];
  }): Promise<Queries[K]['result']> {
    this.#checkOpen();
    const request = readQuery(message.name, message.request);
    this.#metrics.query(message.name);
    if (message.name === 'health') await this.#disk.look();
    if (DURABLE_QUERIES.has(message.name)) return this.#durableAnswer(message.name, request);
    return this.#answer(message.name, request);
  }

  async sync(): Promise<Record<string, never>> {
    this.#checkOpen();
    // A command that waits may have been given up by whoever sent it: who syncs now must not find it undone, and see it later.
    if (this.#queued > 0) await this.#queue.idle();
    // What a start has changed for itself concerns nobody: on a disk that takes nothing, all that was answered may be there.
    if (this.#stored < this.#carriedOut) await this.#commit();
    return {};
  }

  /** No command or query is answered any more; what was answered is durable when it resolves. */
  async close(): Promise<void> {
    this.#state = 'closed';
    this.#timer?.cancel();
    this.#timer = null;
    await this.#commit();
  }

  get #isFull(): boolean {
    return this.#engine.uncommittedKeys > MAXIMUM_UNCOMMITTED_ROWS;
  }

  /**
   * Waits for the disk before the command is applied, so that one that fails refuses it rather than leaving its outcome open.
   * Commands are applied in the order in which they came: a mediator that carries them out again knows no other.
   */
  #applyQueued<T>(growth: boolean | null, apply: (refusal: FileError | null) => T): Promise<T> {
    this.#queued++;
    const number = ++this.#lastQueued;
    return this.#queue.run(async () => {
      let refusal: FileError | null = null;
      try {
        if (number <= this.#refused.upTo) throw this.#refused.error;
        if (growth !== null && !this.#disk.mayApply(growth)) refusal = await this.#disk.refusal(growth);
        if (refusal === null && this.#isFull) await this.#makeRoom();
      } finally {
        this.#queued--;
      }
      return apply(refusal);
    });
  }

  /** A failure is that of all who wait: the disk is not tried for each of them. */
  async #makeRoom(): Promise<void> {
    const upTo = this.#lastQueued;
    try {
      await this.#commit();
    } catch (error) {
      this.#refused = { upTo, error };
      throw error;
    }
  }

  /** @param refusal why nothing may change just now */
  #apply<K extends CommandName>(
    command: Extract<Command, { name: K }>,
    refusal: FileError | null,
  ): Commands[K]['result'] {
    try {
      const result = applyOnce<K>(this.#engine, this.#tables, command, refusal);
      this.#carriedOut++;
      this.#metrics.command(command.name, 'done');
      return result;
    } catch (error) {
      const isRefused = error instanceof FileError || error instanceof ServiceError;
      // What the namespace has refused is kept, for good; whoever syncs wants that found again.
      if (error instanceof FileError && refusal === null && command.id !== undefined) this.#carriedOut++;
      this.#metrics.command(command.name, isRefused ? 'refused' : 'failed');
      if (!isRefused) {
        this.#runtime.log.error('metadata.command_failed', { command: command.name, reason: String(error) });
      }
      throw error;
    }
  }

  #answer<K extends QueryName>(name: K, request: Queries[K]['request']): Queries[K]['result'] {
    const handler: QueryHandlers[K] = this.#queries[name];
    return handler(this.#tables, request);
  }

  /** Answers from the state as it is now, once that is durable. */
  async #durableAnswer<K extends QueryName>(name: K, request: Queries[K]['request']): Promise<Queries[K]['result']> {
    const result = this.#answer(name, request);
    await this.#commit();
    return result;
  }

  /** The outcome of a failed write is not known: it may be found after a restart, and is tried again while this process lives. */
  async #commit(): Promise<void> {
    const startMs = this.#runtime.clock.monotonicMs();
    const waitedMs = () => this.#runtime.clock.monotonicMs() - startMs;
    const carriedOut = this.#carriedOut;
    const stores = this.#engine.uncommittedKeys > 0;
    try {
      await this.#engine.commit();
      this.#stored = Math.max(this.#stored, carriedOut);
      this.#metrics.commit(waitedMs(), 'done');
      // A commit of nothing says nothing about the disk.
      if (stores) this.#disk.worked();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#metrics.commit(waitedMs(), 'failed');
      this.#runtime.log.error('metadata.commit_failed', { reason });
      this.#disk.failed(error);
      this.#schedule(DISK_RETRY_MS);
      throw new ServiceError('UNREACHABLE', `the metaserver's disk failed, the outcome is unknown: ${reason}`);
    }
  }

  #schedule(afterMs = this.#commitIntervalMs): void {
    if (this.#timer !== null || this.#state === 'closed') return;
    this.#timer = this.#runtime.clock.after(afterMs, () => {
      this.#timer = null;
      this.#commitInBackground();
    });
  }

  #commitInBackground(): void {
    // #commit has logged the failure and set the next attempt's timer; those who wait for durability hear of it by their own.
    this.#commit().catch(() => {});
  }

  #checkOpen(): void {
    if (this.#state === 'closed') throw new ServiceError('UNREACHABLE', 'the metaserver is closing');
  }
}
