// The connection to the metaserver across losses and restarts. After each loss
// it asks which process answers. A metaserver that crashed may have lost its last
// commands although they were answered: these are carried out again before the
// new process is asked for anything else, so that nobody sees the loss. Commands
// that can't be carried out again are lost, and the verifier tells it to every
// fsync.
import { FileError, ServiceError } from '../../protocol/errors.js';
import type {
  AnsweredCommand,
  CommandName,
  Commands,
  MetaserverService,
  Queries,
} from '../../protocol/services/metadata.js';
import type { CallOptions } from '../../protocol/services/service.js';
import { limitsFromNow, within } from '../../protocol/services/within.js';
import type { RequestId, RequestIds } from '../../protocol/values/request-ids.js';
import type { Verifier } from '../../protocol/values/verifier.js';
import type { Remote } from '../../protocol/wire/client.js';
import { RepeatedCalls } from '../../protocol/wire/repeated-calls.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Counters } from '../counters.js';
import { AnsweredStream } from './answered-stream.js';
import { RepeatedCommands } from './repeated-commands.js';
import { type Message, UnsyncedCommands } from './unsynced-commands.js';

/** A metaserver may take long over a large truncation, and over its own restart. */
export const METADATA_DEADLINE_MS = 30_000;
/** Of `confirm`: longer than an answer takes where anything answers. */
const CONFIRM_DEADLINE_MS = 500;
/** A command that is not known to be on the disk after this long causes a sync: twice what the metaserver lets it wait. */
const SYNC_AFTER_MS = 100;

export interface MetaserverListener {
  /** Another process answers: effects of commands under way that were seen may be gone. */
  restarted(): void;
  /** Nobody can tell whether a command was carried out. */
  outcomeUnknown(): void;
}

export interface MetaserverConnectionParts {
  remote: Pick<Remote, 'onStateChange'>;
  metadata: MetaserverService;
  deadlineMs: number;
  ids: RequestIds;
  counters: Counters;
  runtime: Runtime;
  listener: MetaserverListener;
  /** Of this mediator: said over each connection before anything else. */
  epoch?: number | undefined;
}

/** Which process answers, and whose history it has. */
type Process = Pick<Queries['statistics']['result'], 'clusterId' | 'start' | 'history'>;

export class MetaserverConnection extends RepeatedCalls {
  /** Commands, queries and syncs so far, also those that were answered here, but for commands that were refused here. */
  calls = 0;
  readonly unsynced = new UnsyncedCommands();
  /** Commands under way: others may see their effects already. */
  underWay = 0;
  readonly metadata: MetaserverService;
  /** For commands that come without an id. */
  readonly ids: RequestIds;
  /** Commands that were answered before the metaserver had them. */
  readonly answered: AnsweredStream;

  /** Without gaps, by which the metaserver notices that some have not come. */
  #idOfAnswered: () => RequestId;
  readonly #repeated: RepeatedCommands;
  /** How often messages of answered commands have failed. */
  #interruptions = 0;
  /** The number of the last command. */
  #lastPlace = 0;
  /** The process that answers is identified, and was sent again what it lacked. */
  #isReady = false;
  #preparing: Promise<void> | null = null;
  /** The last process that was identified. */
  #process: Process | null = null;
  #syncTimer: Timer | null = null;
  #isClosed = false;

  readonly #deadlineMs: number;
  readonly #epoch: number | undefined;
  readonly #runtime: Runtime;
  readonly #listener: MetaserverListener;

  constructor(parts: MetaserverConnectionParts) {
    const { remote, metadata, deadlineMs, ids, counters, runtime, listener, epoch } = parts;
    super(remote, deadlineMs, runtime.clock);
    this.metadata = metadata;
    this.ids = ids;
    this.#deadlineMs = deadlineMs;
    this.#epoch = epoch;
    this.#runtime = runtime;
    this.#listener = listener;
    this.#idOfAnswered = ids.lasting();
    this.#repeated = new RepeatedCommands({
      ...{ unsynced: this.unsynced, metadata, deadlineMs, counters, runtime },
      slotGivenUp: () => {
        this.#idOfAnswered = ids.lasting();
      },
      lost: () => listener.outcomeUnknown(),
    });
    this.answered = new AnsweredStream({
      ...{ metadata, deadlineMs, clock: runtime.clock },
      isReady: () => this.#isReady,
      confirmed: (outcomes, commands) => this.#repeated.noteRefused(outcomes, commands),
      interrupted: (error) => this.#interrupted(error),
    });
    remote.onStateChange((state) => {
      this.#isReady = false;
      if (this.#isClosed) return;
      // A call that comes meanwhile waits for this, and tries again where it fails.
      if (state === 'up') this.#prepare().catch((error: unknown) => this.#debug('metadata.unverified', error));
    });
  }

  /** Grows also when a message of answered commands fails: calls sent behind it may have been answered without them. */
  override get losses(): number {
    return super.losses + this.#interruptions;
  }

  /** The process that answers is identified, and was sent again what it lacked. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Every command whose effects somebody may have seen is on the metaserver's disk. */
  get isAllDurable(): boolean {
    return this.unsynced.isEmpty && this.underWay === 0;
  }

  /** The cluster that the metaserver belongs to. After `start`. */
  get clusterId(): string {
    return this.#process?.clusterId ?? '';
  }

  /** Whoever has an earlier one can tell from this one whether commands were lost between them. After `start`. */
  get verifier(): Verifier {
    return { mediator: `${this.ids.client}/${this.#repeated.timesLost}`, history: this.#process?.history ?? '' };
  }

  /** Resolves when the metaserver has answered. Syncs what it may have answered to an earlier mediator and not stored. */
  async start(): Promise<void> {
    await this.ready();
    this.#syncNow();
  }

  /**
   * Resolves when the process that answers is identified, and was sent again what it lacked.
   * @throws ServiceError REFUSED when it belongs to another cluster, DEADLINE
   */
  ready(options?: CallOptions): Promise<void> {
    return this.ask(async () => {}, options);
  }

  /** Resolves when the metaserver has answered, within half a second. @throws ServiceError as `query`; DEADLINE */
  async confirm(): Promise<void> {
    const deadlineMs = CONFIRM_DEADLINE_MS;
    await this.ask((limits) => this.metadata.query({ name: 'mediator', request: {} }, limits), { deadlineMs });
  }

  /** Makes a call as soon as the connection is ready, and again where it is lost, until either deadline. @param failed see `repeat` */
  ask<T>(
    call: (limits: CallOptions) => Promise<T>,
    options: CallOptions | undefined,
    failed?: (error: ServiceError) => void,
  ): Promise<T> {
    const left = options === undefined ? null : limitsFromNow(options, Number.POSITIVE_INFINITY, this.#runtime.clock);
    let isRepetition = false;
    return this.repeat(async (limits) => {
      const bounds = () => (left === null ? limits : sooner(left(), limits));
      // Another server may answer now, which has what was sent before only when that was sent anew.
      if (isRepetition) await within(this.answered.heard(), bounds(), this.#runtime.clock, 'the metaserver');
      isRepetition = true;
      const given = bounds();
      if (!this.#isReady) return this.#whenReady(call, given);
      this.answered.flush();
      return call(given);
    }, failed);
  }

  /**
   * Makes a call that changes nothing, and again where answered commands that were sent before it are refused meanwhile: what is
   * answered then lacks them.
   */
  async askBehindAnswered<T>(call: (limits: CallOptions) => Promise<T>, options: CallOptions | undefined): Promise<T> {
    const left = limitsFromNow(options ?? {}, this.#deadlineMs, this.#runtime.clock);
    for (let given = options; ; given = left()) {
      let { losses } = this;
      const counted = (limits: CallOptions) => {
        losses = this.losses;
        return call(limits);
      };
      try {
        const result = await this.ask(counted, given);
        if (losses === this.losses) return result;
      } catch (error) {
        if (losses === this.losses || !(error instanceof FileError)) throw error;
      }
    }
  }

  /** The number of a command that is answered or sent now. The metaserver carries them out in this order. */
  nextPlace(): number {
    return ++this.#lastPlace;
  }

  /** A command was answered here, without the metaserver, which gets it soon. */
  noteAnsweredHere(given: Omit<AnsweredCommand, 'id'>, result: Commands[CommandName]['result']): void {
    const { name, timeNs, request } = given;
    const command = { name, timeNs, request, id: this.#idOfAnswered() } as AnsweredCommand;
    const place = this.nextPlace();
    this.calls++;
    this.answered.add({ command, result, place });
    this.noteAnswered({ ...command, durable: false }, result, place);
  }

  /** A query was answered here. */
  noteQueryAnsweredHere(): void {
    this.calls++;
  }

  /** A command that was not asked to be durable was answered. @param place its number among all commands */
  noteAnswered(message: Message, result: Commands[CommandName]['result'], place: number): void {
    this.unsynced.add(message, result, place);
    this.#syncSoon();
  }

  /** The outcome of a command is not known: its effects may be seen, now or later. */
  noteOutcomeUnknown(name: CommandName, place: number): void {
    this.unsynced.addUnknown(name, place);
    this.#syncSoon();
    this.#listener.outcomeUnknown();
  }

  /** Resolves when all commands that were answered before, and are not lost, are on the metaserver's disk. */
  async sync(options?: CallOptions): Promise<void> {
    this.calls++;
    await this.askBehindAnswered(async (limits) => {
      const { losses } = this;
      const { answered } = this.unsynced;
      await this.metadata.sync({}, limits);
      this.noteDurable(answered, losses);
    }, options);
  }

  /** The first `answered` commands are on the disk. @param losses the value of `losses` when the process was asked that says so */
  noteDurable(answered: number, losses: number): void {
    // If that process is gone, its answer says nothing about commands that were carried out again by the next one.
    if (losses === this.losses) this.unsynced.markDurable(answered);
  }

  /** Resolves when all that was answered is durable, when the time is over, or when a sync has failed. */
  async settle(deadlineMs: number): Promise<void> {
    if (this.unsynced.isEmpty) return;
    await this.sync({ deadlineMs }).catch((error: unknown) => this.#debug('metadata.unsynced', error));
  }

  /** From now on nothing is asked without a caller. */
  close(): void {
    this.#isClosed = true;
    this.#syncTimer?.cancel();
    this.#syncTimer = null;
    this.answered.close();
  }

  #prepare(): Promise<void> {
    this.#preparing ??= this.#untilReady().finally(() => {
      this.#preparing = null;
    });
    return this.#preparing;
  }

  async #untilReady(): Promise<void> {
    while (!this.#isReady) {
      const { losses } = this;
      try {
        await this.#identify(losses);
        this.#isReady = losses === this.losses;
      } catch (error) {
        // After another loss the next process is identified instead.
        if (losses === this.losses) throw error;
      }
    }
  }

  async #whenReady<T>(call: (limits: CallOptions) => Promise<T>, limits: CallOptions): Promise<T> {
    const { clock } = this.#runtime;
    const left = limitsFromNow(limits, this.#deadlineMs, clock);
    while (!this.#isReady) {
      try {
        await within(this.#prepare(), left(), clock, 'the metaserver');
      } catch (error) {
        // The deadline may be that of another caller, who began to prepare earlier.
        const isOfAnother = error instanceof ServiceError && error.code === 'DEADLINE' && left().deadlineMs > 0;
        if (!isOfAnother) throw error;
      }
    }
    const given = left();
    this.answered.flush();
    return call(given);
  }

  /** Asks which process answers, and brings a new one up to date. Where the connection is lost meanwhile, nothing is decided. */
  async #identify(losses: number): Promise<void> {
    const limits = { deadlineMs: this.#deadlineMs };
    const request = { identifies: true, ...(this.#epoch === undefined ? {} : { epoch: this.#epoch }) };
    const { clusterId, start, history } = await this.metadata.query({ name: 'statistics', request }, limits);
    if (losses !== this.losses) return;
    const unconfirmed = this.answered.unconfirmed();
    const last = this.#process;
    if (last !== null && last.clusterId !== clusterId) {
      throw new ServiceError('REFUSED', `the metaserver is of cluster ${clusterId}, this is ${last.clusterId}`);
    }
    const isOther = last !== null && last.start !== start;
    const hasCrashed = isOther && last.history !== history;
    if (hasCrashed) await this.#repeated.repeatAfterCrash();
    else await this.#repeated.sendAgain(unconfirmed);
    if (losses !== this.losses) return;
    // The same history: the last process was closed in order, and had stored all that it had answered.
    if (isOther && !hasCrashed) {
      this.unsynced.markDurable(this.unsynced.answered);
      for (const { command, result, place } of unconfirmed) {
        this.noteAnswered({ ...command, durable: false }, result, place);
      }
    }
    this.answered.settled();
    if (isOther) {
      // Where commands are lost, or rows have come back older than they were, numbers of the last slot are missing.
      this.#idOfAnswered = this.ids.lasting();
      this.#listener.restarted();
    }
    this.#process = { clusterId, start, history };
  }

  #interrupted(error: unknown): void {
    this.#debug('metadata.unconfirmed', error);
    this.#interruptions++;
    this.#isReady = false;
    if (!this.#isClosed) this.#prepare().catch((later: unknown) => this.#debug('metadata.unverified', later));
  }

  /** The metaserver stores commands soon by itself; until a sync has said so, they count as not durable. */
  #syncSoon(): void {
    if (this.#isClosed) return;
    this.#syncTimer ??= this.#runtime.clock.after(SYNC_AFTER_MS, () => {
      this.#syncTimer = null;
      if (!this.unsynced.isEmpty) this.#syncNow();
    });
  }

  #syncNow(): void {
    this.sync().catch((error: unknown) => {
      this.#debug('metadata.unsynced', error);
      this.#syncSoon();
    });
  }

  /** For background work. */
  #debug(event: string, error: unknown): void {
    rethrowProgramFault(error);
    this.#runtime.log.debug(event, errorFields(error));
  }
}

/** The caller's limits, within those of all calls. @throws ServiceError DEADLINE when the caller's time is over */
function sooner(own: CallOptions & { deadlineMs: number }, { deadlineMs = own.deadlineMs }: CallOptions): CallOptions {
  if (own.deadlineMs <= 0) throw new ServiceError('DEADLINE', 'no time is left to ask the metaserver again');
  own.deadlineMs = Math.min(own.deadlineMs, deadlineMs);
  return own;
}
