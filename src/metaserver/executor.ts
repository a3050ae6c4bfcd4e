// MetaserverService over an engine: checks requests, applies commands one after
// the other, and decides when they are made durable.
import { Buffer } from 'node:buffer';
import { applyOnce, isNext } from '../namespace/once.js';
import { countMissed, type QueryHandlers, statistics, TABLE_QUERIES } from '../namespace/queries.js';
import type { Tables } from '../namespace/state/tables.js';
import { takesRoom } from '../namespace/takes-room.js';
import { FileError, malformed, ServiceError, type ServiceErrorCode, wasCarriedOut } from '../protocol/errors.js';
import type {
  AnsweredCommand,
  Command,
  CommandName,
  Commands,
  MetaserverService,
  Outcomes,
  Queries,
  QueryName,
} from '../protocol/services/metadata.js';
import type { Once } from '../protocol/values/request-ids.js';
import { errorFields, messageOf } from '../runtime/caught-errors.js';
import type { Timer } from '../runtime/clock.js';
import { rethrowProgramFault } from '../runtime/faults.js';
import { RecentMap } from '../runtime/recent-map.js';
import type { Runtime } from '../runtime/runtime.js';
import { SerialQueue } from '../runtime/serial-queue.js';
import { DISK_RETRY_MS, type DiskHealth } from './disk-health.js';
import type { Engine } from './engine/engine.js';
import type { Metrics } from './metrics.js';
import { readAnswered, readCommand } from './requests/commands.js';
import { readQuery } from './requests/queries.js';

/**
 * With more changed rows in memory, commands wait for the disk: this bounds memory, and what a crash can lose. Those that a
 * mediator has answered do not wait: it has a bound of its own for what is not synced.
 */
const MAXIMUM_UNCOMMITTED_ROWS = 32_768;
/** More inodes than a crash can lose: those in memory, those that are being written, and commands that were let in at the same moment. */
export const MAXIMUM_LOST_INODES = 4 * MAXIMUM_UNCOMMITTED_ROWS;
/** At least half as many refusals of answered commands are remembered: as many as a mediator has under way. */
const MOST_REFUSALS = 8_192;
const START_ID_BYTES = 8;
/** With more changed rows in memory a commit starts at once, not after the interval. */
const EARLY_COMMIT_ROWS = 8_192;

/**
 * Answered only when they are durable, whatever the caller asks for: no version number may be given out twice, and no epoch of
 * mediators.
 */
const DURABLE_COMMANDS: ReadonlySet<CommandName> = new Set(['allocate', 'takeOver', 'resign']);
/** Applied whatever the disk says, and answered once it has stored them: no sync vouches for them. */
const UNHINDERED: ReadonlySet<CommandName> = new Set(['takeOver', 'resign']);
/** They show nothing of what a mediator answers, and tell how a server is whose disk hangs. */
const PROMPT_QUERIES: ReadonlySet<QueryName> = new Set(['mediator', 'health']);
/**
 * Answered only when what they show is durable: data servers delete garbage for good, so the commit that made it garbage must not
 * be lost.
 */
const DURABLE_QUERIES: ReadonlySet<QueryName> = new Set(['garbage']);
/** Of a storage that is written by a group. */
const GROUP_ERRORS: ReadonlySet<ServiceErrorCode> = new Set(['NOT_LEADER', 'OUTCOME_UNKNOWN']);

/** Whether a write has failed since another server leads, or may: it is not the disk. */
export function isOfGroup(error: unknown): boolean {
  return error instanceof ServiceError && GROUP_ERRORS.has(error.code);
}

export interface ExecutorParts {
  engine: Engine;
  tables: Tables;
  disk: DiskHealth;
  runtime: Runtime;
  metrics: Metrics;
  /** How long an answered command may stay in memory only, unless its caller waits for durability. */
  commitIntervalMs: number;
  /** For how long nothing has been heard of the active mediator. */
  mediatorSilentMs(): number;
}

export class Executor implements MetaserverService {
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
  /** Messages of answered commands among them. */
  #queuedAnswered = 0;
  /** How many have ever been queued. */
  #lastQueued = 0;
  /** Queued commands up to this number are refused: the commit that was to make room for them in memory has failed. */
  #refused: { upTo: number; error: unknown } = { upTo: 0, error: null };
  /** Commands that were applied or refused for good, and how many of them are durable. */
  #carriedOut = 0;
  #stored = 0;
  /** Why answered commands could not be carried out, by their ids: a mediator that has not heard of it sends them again. */
  readonly #refusals = new RecentMap<string, string>(MOST_REFUSALS);
  /** Why nothing is carried out any more; null while it is. */
  #closed: ServiceError | null = null;

  constructor({ engine, tables, disk, runtime, metrics, commitIntervalMs, mediatorSilentMs }: ExecutorParts) {
    this.#engine = engine;
    this.#disk = disk;
    this.#tables = tables;
    this.#runtime = runtime;
    this.#metrics = metrics;
    this.#commitIntervalMs = commitIntervalMs;
    const start = Buffer.from(runtime.random.bytes(START_ID_BYTES)).toString('hex');
    this.#queries = {
      ...TABLE_QUERIES,
      mediator(tables) {
        return { ...tables.mediator(), silentMs: mediatorSilentMs() };
      },
      statistics: (tables) => ({ ...statistics(tables), start }),
      health: (tables, { limit }) => ({ ...disk.health, missed: countMissed(tables, limit) }),
    };
    // Changes that the start made and could not store.
    if (engine.uncommittedKeys > 0) this.#schedule();
  }

  async execute<K extends CommandName>(
    message: { name: K; timeNs: bigint; request: Commands[K]['request']; durable: boolean; again?: boolean } & Once,
  ): Promise<Commands[K]['result']> {
    this.#checkOpen();
    const command = readCommand(message);
    if (typeof message.durable !== 'boolean') throw malformed('durable is no boolean');
    // A mediator carries out again what was answered before a crash: it is applied whatever the disk says, and stays in memory
    // until the disk takes it.
    const growth = message.again === true || UNHINDERED.has(command.name) ? null : takesRoom(command);
    const mayApply = growth === null || this.#disk.mayApply(growth);
    const known = command as Extract<Command, { name: K }>;
    const result =
      this.#queued > 0 || this.#isFull || !mayApply
        ? await this.#applyQueued(growth, (refusal) => this.#apply(known, refusal))
        : this.#apply(known, null);
    if (this.#closed !== null) throw new ServiceError('OUTCOME_UNKNOWN', this.#closed.message);
    if (message.durable || DURABLE_COMMANDS.has(command.name)) {
      await this.#commit();
    } else if (this.#engine.uncommittedKeys > EARLY_COMMIT_ROWS) {
      this.#commitInBackground();
    } else {
      this.#schedule();
    }
    return result;
  }

  async executeAll(message: { commands: AnsweredCommand[] }): Promise<Outcomes> {
    this.#checkOpen();
    const commands = readAnswered(message);
    const apply = () => this.#applyAll(commands);
    // Only after what waits already. Were some refused for want of room, later ones would be applied without them.
    const refused = this.#queued > 0 ? await this.#applyAllInTurn(apply) : apply();
    if (this.#closed !== null) throw new ServiceError('OUTCOME_UNKNOWN', this.#closed.message);
    if (this.#engine.uncommittedKeys > EARLY_COMMIT_ROWS) this.#commitInBackground();
    else this.#schedule();
    return { refused, takesChanges: this.#disk.mayApply(false), hasRoom: this.#disk.mayApply(true) };
  }

  async query<K extends QueryName>(message: {
    name: K;
    request: Queries[K]['request'];
  }): Promise<Queries[K]['result']> {
    this.#checkOpen();
    const request = readQuery(message.name, message.request);
    this.#metrics.query(message.name);
    // Its mediator has answered them already.
    if (this.#queuedAnswered > 0 && !PROMPT_QUERIES.has(message.name)) {
      await this.#queue.idle();
      this.#checkOpen();
    }
    if (message.name === 'health') await this.#disk.look();
    if (DURABLE_QUERIES.has(message.name)) return this.#durableAnswer(message.name, request);
    return this.#answer(message.name, request);
  }

  async sync(): Promise<Record<string, never>> {
    this.#checkOpen();
    // A queued command may have timed out at its client. Were it applied after this sync, the client would see it come true late.
    if (this.#queued > 0) await this.#queue.idle();
    // Only answered commands count, not what the start itself has changed: a sync succeeds on a disk that takes no writes if all
    // that was answered is durable.
    if (this.#stored < this.#carriedOut) await this.#commit();
    return {};
  }

  /** Answers nothing any more; what was answered is durable when it resolves. */
  async close(): Promise<void> {
    this.abandon(new ServiceError('CLOSING', 'the metaserver is closing'));
    await this.#commit();
  }

  /** Answers nothing any more, and stores nothing: another server does. */
  abandon(why: ServiceError): void {
    this.#closed ??= why;
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Whether a command that comes now is applied at once. */
  get isPrompt(): boolean {
    return this.#queued === 0 && !this.#isFull;
  }

  get #isFull(): boolean {
    return this.#engine.uncommittedKeys > MAXIMUM_UNCOMMITTED_ROWS;
  }

  /**
   * Waits for the disk before the command is applied: when the disk fails, the command is refused and has a known outcome.
   * Commands are applied in the order of their arrival, which is the order in which a mediator would carry them out again.
   */
  #applyQueued<T>(growth: boolean | null, apply: (refusal: FileError | null) => T): Promise<T> {
    const number = ++this.#lastQueued;
    return this.#inTurn(async () => {
      if (number <= this.#refused.upTo) throw this.#refused.error;
      let refusal: FileError | null = null;
      if (growth !== null && !this.#disk.mayApply(growth)) refusal = await this.#disk.refusal(growth);
      if (refusal === null && this.#isFull) await this.#makeRoom();
      return refusal;
    }, apply);
  }

  #applyAllInTurn<T>(apply: () => T): Promise<T> {
    this.#queuedAnswered++;
    return this.#inTurn(
      async () => null,
      () => {
        this.#queuedAnswered--;
        return apply();
      },
    );
  }

  #inTurn<T>(prepare: () => Promise<FileError | null>, apply: (refusal: FileError | null) => T): Promise<T> {
    this.#queued++;
    return this.#queue.run(async () => {
      let refusal: FileError | null;
      try {
        refusal = await prepare();
      } finally {
        this.#queued--;
      }
      return apply(refusal);
    });
  }

  /** When this fails, all commands that are queued by now are refused, without trying the disk for each of them. */
  async #makeRoom(): Promise<void> {
    const upTo = this.#lastQueued;
    try {
      await this.#commit();
    } catch (error) {
      this.#refused = { upTo, error };
      throw error;
    }
  }

  /** @param refusal why no command can be applied just now */
  #apply<K extends CommandName>(
    command: Extract<Command, { name: K }>,
    refusal: FileError | null,
  ): Commands[K]['result'] {
    try {
      const result = applyOnce<K>(this.#engine, this.#tables, command, refusal);
      if (!UNHINDERED.has(command.name)) this.#carriedOut++;
      this.#metrics.command(command.name, 'done');
      return result;
    } catch (error) {
      const isRefused = error instanceof FileError || error instanceof ServiceError;
      // A refusal by the namespace is a row of the dedupe table, and is made durable like a result.
      if (error instanceof FileError && refusal === null && command.id !== undefined) this.#carriedOut++;
      this.#metrics.command(command.name, isRefused ? 'refused' : 'failed');
      if (!isRefused) {
        this.#runtime.log.error('metadata.command_failed', { command: command.name, ...errorFields(error) });
      }
      throw error;
    }
  }

  /** Whatever the disk says: they were answered. */
  #applyAll(commands: readonly AnsweredCommand[]): Outcomes['refused'] {
    const [first] = commands;
    // Were they carried out, those before them would count as repeated when they come again.
    if (first !== undefined && !isNext(this.#engine, first.id)) {
      throw new ServiceError('REFUSED', `commands before ${first.id.join(' ')} are missing`);
    }
    const refused: Outcomes['refused'] = [];
    for (const [place, command] of commands.entries()) {
      const id = command.id.join(' ');
      const reason = this.#refusalOf(command) ?? this.#refusals.get(id);
      if (reason === undefined) continue;
      this.#refusals.set(id, reason);
      refused.push({ place, reason });
    }
    return refused;
  }

  /** Applies a command; why it can't be carried out as it was answered, null when it was. */
  #refusalOf(command: AnsweredCommand): string | null {
    try {
      const result = this.#apply(command, null);
      const asked = 'inode' in command.request && command.name === 'make' ? command.request.inode : undefined;
      const isOther = asked !== undefined && (result as Commands['make']['result']).attributes.inode !== asked;
      return isOther ? 'the name stands for something else' : null;
    } catch (error) {
      if (wasCarriedOut(error)) return null;
      if (error instanceof FileError) return error.message;
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

  /** After a failed write the outcome is unknown: a restart may find it stored. While this process lives, it is tried again. */
  async #commit(): Promise<void> {
    const startMs = this.#runtime.clock.monotonicMs();
    const waitedMs = () => this.#runtime.clock.monotonicMs() - startMs;
    const carriedOut = this.#carriedOut;
    const stores = this.#engine.uncommittedKeys > 0;
    try {
      await this.#engine.commit();
      this.#stored = Math.max(this.#stored, carriedOut);
      this.#metrics.commit(waitedMs(), 'done');
      // An empty commit does not touch the disk.
      if (stores) this.#disk.worked();
    } catch (error) {
      if (isOfGroup(error)) throw error;
      this.#metrics.commit(waitedMs(), 'failed');
      this.#runtime.log.error('metadata.commit_failed', errorFields(error));
      this.#schedule(DISK_RETRY_MS);
      rethrowProgramFault(error);
      this.#disk.failed(error);
      throw new ServiceError(
        'OUTCOME_UNKNOWN',
        `the metaserver's disk failed, the outcome is unknown: ${messageOf(error)}`,
      );
    }
  }

  #schedule(afterMs = this.#commitIntervalMs): void {
    if (this.#timer !== null || this.#closed !== null) return;
    this.#timer = this.#runtime.clock.after(afterMs, () => {
      this.#timer = null;
      this.#commitInBackground();
    });
  }

  #commitInBackground(): void {
    // #commit logs a failure and schedules the next attempt; calls that wait for durability get the error of their own commit.
    this.#commit().catch(rethrowProgramFault);
  }

  #checkOpen(): void {
    if (this.#closed !== null) throw this.#closed;
  }
}
