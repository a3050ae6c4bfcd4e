// Calls to the metaserver that were lost with their connection: asks them
// again, of a process that knows what was answered before. Where a crash has
// taken commands that were answered, they are carried out again first, so that
// whoever asks finds everything as it was. What can't be is lost, and every
// fsync must be able to tell.
import { FileError, ServiceError, type ServiceErrorCode } from '../../protocol/errors.js';
import {
  type CommandName,
  type Commands,
  type MetadataService,
  type Queries,
  REPEATABLE_COMMANDS,
} from '../../protocol/services/metadata.js';
import type { CallOptions } from '../../protocol/services/service.js';
import { within } from '../../protocol/services/within.js';
import type { RequestId, RequestIds } from '../../protocol/values/request-ids.js';
import { isUnbroken, type Verifier } from '../../protocol/values/verifier.js';
import type { Remote } from '../../protocol/wire/client.js';
import { RepeatedCalls } from '../../protocol/wire/repeated-calls.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Counters } from '../counters.js';
import { type Message, madeBy, UnsyncedCommands } from './unsynced-commands.js';

/** A metaserver may take long over a large truncation, and over its own restart. */
export const METADATA_DEADLINE_MS = 30_000;
/** What was answered is known to be on the disk, or is asked for, after this long: twice what the metaserver lets it wait. */
const SYNC_AFTER_MS = 100;
const REPEATABLE: ReadonlySet<CommandName> = new Set(REPEATABLE_COMMANDS);
/** Nobody knows whether the call was carried out, or the metaserver can't just now. */
const UNDECIDED: ReadonlySet<ServiceErrorCode> = new Set(['UNREACHABLE', 'DEADLINE', 'CANCELLED']);

export interface MetaserverListener {
  /** Another process answers: what was seen of commands under way may be no more. */
  restarted(): void;
  /** It can't be told whether a command was carried out. */
  unclear(): void;
}

export class LostCalls extends RepeatedCalls {
  /** Calls made through `repeatLost`. */
  calls = 0;
  readonly unsynced = new UnsyncedCommands();
  /** Commands under way: what they change may be seen already. */
  underWay = 0;
  /** How often commands that were answered were lost for good. */
  #undone = 0;
  /** The process that answers is known, and knows what was answered before. */
  #isVerified = false;
  #verifying: Promise<void> | null = null;
  /** The process that was known last. */
  #known: Pick<Queries['statistics']['result'], 'clusterId' | 'start' | 'history'> | null = null;
  #timer: Timer | null = null;
  #isClosed = false;

  readonly #metadataDeadlineMs: number;
  readonly #counters: Counters;
  readonly #runtime: Runtime;
  readonly #listener: MetaserverListener;

  constructor(
    remote: Pick<Remote, 'onStateChange'>,
    readonly metadata: MetadataService,
    metadataDeadlineMs: number,
    readonly ids: RequestIds,
    counters: Counters,
    runtime: Runtime,
    listener: MetaserverListener,
  ) {
    super(remote, metadataDeadlineMs, runtime.clock);
    this.#metadataDeadlineMs = metadataDeadlineMs;
    this.#counters = counters;
    this.#runtime = runtime;
    this.#listener = listener;
    remote.onStateChange((state) => {
      this.#isVerified = false;
      if (this.#isClosed) return;
      // Whoever asks for something meanwhile waits for it, and tries again when it fails.
      if (state === 'up') this.#verify().catch((error: unknown) => this.#debug('metadata.unverified', error));
    });
  }

  /** Nothing that anybody may have seen waits for the metaserver's disk. */
  get isAllDurable(): boolean {
    return this.unsynced.isEmpty && this.underWay === 0;
  }

  /** The cluster whose metaserver has answered. After `start`. */
  get clusterId(): string {
    return this.#known?.clusterId ?? '';
  }

  /** Says to whoever had another one whether what was answered to him still stands. After `start`. */
  get verifier(): Verifier {
    return { mediator: `${this.ids.client}/${this.#undone}`, history: this.#known?.history ?? '' };
  }

  /** Resolves when the metaserver has answered. What an earlier mediator was told may not be on its disk: it is asked for. */
  async start(): Promise<void> {
    await this.known();
    this.#syncNow();
  }

  /**
   * Resolves when the process that answers is known, and knows what was answered before.
   * @throws ServiceError REFUSED when it is another cluster's, DEADLINE
   */
  known(options?: CallOptions): Promise<void> {
    return this.ask(async () => {}, options);
  }

  /** Makes a call of a process that knows what was answered before, again where it is lost. */
  ask<T>(call: (limits: CallOptions) => Promise<T>, options: CallOptions | undefined): Promise<T> {
    return this.repeat((limits) => {
      const given = { ...limits, ...options };
      return this.#isVerified ? call(given) : this.#whenVerified(call, given);
    });
  }

  /** A command that nobody wanted durable was answered. @param place the number of the call among all that were sent */
  noteAnswered(message: Message, result: Commands[CommandName]['result'], place: number): void {
    this.unsynced.add(message, result, place);
    this.#syncSoon();
  }

  /** The outcome of a command is not known: it may be seen, now or later. */
  noteUnclear(name: CommandName, place: number): void {
    this.unsynced.addUnclear(name, place);
    this.#syncSoon();
    this.#listener.unclear();
  }

  /** Resolves when all that was answered before and is not lost is on the metaserver's disk. */
  async sync(options?: CallOptions): Promise<void> {
    this.calls++;
    await this.ask(async (limits) => {
      const { losses } = this;
      const { answered } = this.unsynced;
      await this.metadata.sync({}, limits);
      this.noteDurable(answered, losses);
    }, options);
  }

  /** The first `answered` are on the disk, as a process says that was asked when so many connections had been lost. */
  noteDurable(answered: number, losses: number): void {
    // A process that was lost meanwhile has said nothing about what the next one was told again.
    if (losses === this.losses) this.unsynced.durable(answered);
  }

  /** Nothing is asked again by itself any more. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #verify(): Promise<void> {
    this.#verifying ??= this.#untilVerified().finally(() => {
      this.#verifying = null;
    });
    return this.#verifying;
  }

  async #untilVerified(): Promise<void> {
    while (!this.#isVerified) {
      const { losses } = this;
      try {
        await this.#meet(losses);
        this.#isVerified = losses === this.losses;
      } catch (error) {
        if (losses === this.losses) throw error;
      }
    }
  }

  async #whenVerified<T>(call: (limits: CallOptions) => Promise<T>, limits: CallOptions): Promise<T> {
    const { clock } = this.#runtime;
    const { deadlineMs = this.#metadataDeadlineMs } = limits;
    const endMs = clock.monotonicMs() + deadlineMs;
    const left = () => ({ ...limits, deadlineMs: endMs - clock.monotonicMs() });
    while (!this.#isVerified) {
      try {
        await within(this.#verify(), left(), clock, 'the metaserver');
      } catch (error) {
        // Whoever asked first had less time left.
        const isEarly = error instanceof ServiceError && error.code === 'DEADLINE' && left().deadlineMs > 0;
        if (!isEarly) throw error;
      }
    }
    return call(left());
  }

  /** Asks who answers. Another process than before is told what it may not know. Nothing is certain once that one is lost too. */
  async #meet(losses: number): Promise<void> {
    const limits = { deadlineMs: this.#metadataDeadlineMs };
    const { clusterId, start, history } = await this.metadata.query({ name: 'statistics', request: {} }, limits);
    if (losses !== this.losses) return;
    const known = this.#known;
    if (known !== null && known.clusterId !== clusterId) {
      throw new ServiceError('REFUSED', `the metaserver is of cluster ${clusterId}, this is ${known.clusterId}`);
    }
    if (known !== null && known.start !== start) {
      // One that was closed in order has stored all that it had answered.
      if (known.history === history) this.unsynced.durable(this.unsynced.answered);
      else await this.#repeatAnswered();
      if (losses !== this.losses) return;
      this.#listener.restarted();
    }
    this.#known = { clusterId, start, history };
  }

  async #repeatAnswered(): Promise<void> {
    const { log } = this.#runtime;
    const { done, lost } = await this.unsynced.again((message, made) => this.#again(message, made));
    log.info('metadata.repeated', { commands: done });
    this.#counters.add('repeatedCommands', done);
    if (lost === 0) return;
    this.#undone++;
    log.error('metadata.undone', { commands: lost });
    this.#counters.add('undoneCommands', lost);
  }

  /** Whether a command that was answered is carried out now, or was before the crash and survived it. */
  async #again(message: Message, made: number): Promise<boolean> {
    const { name } = message;
    let reason: string;
    try {
      const limits = { deadlineMs: this.#metadataDeadlineMs };
      const result = await this.metadata.execute({ ...message, durable: false, again: true }, limits);
      if (madeBy(name, result) === made) return true;
      reason = 'the name stands for something else';
    } catch (error) {
      if (error instanceof ServiceError && UNDECIDED.has(error.code)) throw error;
      if (wasCarriedOut(error)) return true;
      reason = String(error);
    }
    this.#runtime.log.warn('metadata.not_repeated', { command: name, reason });
    return false;
  }

  /** What nobody asks to be durable is on the disk soon all the same; until that is known, it counts as what a crash may take. */
  #syncSoon(): void {
    if (this.#isClosed) return;
    this.#timer ??= this.#runtime.clock.after(SYNC_AFTER_MS, () => {
      this.#timer = null;
      if (!this.unsynced.isEmpty) this.#syncNow();
    });
  }

  #syncNow(): void {
    this.sync().catch((error: unknown) => {
      this.#debug('metadata.unsynced', error);
      this.#syncSoon();
    });
  }

  #debug(event: string, error: unknown): void {
    rethrowProgramFault(error);
    this.#runtime.log.debug(event, errorFields(error));
  }
}

/**
 * What the metaserver says of a command that it knows already, other than its result: a later one has used the id's slot, or
 * the inode has gone since.
 */
function wasCarriedOut(error: unknown): boolean {
  if (error instanceof ServiceError) return error.code === 'REFUSED';
  return error instanceof FileError && error.code === 'ESTALE';
}

/**
 * The same service, where what is lost is asked again: queries, which change nothing; commands, each under an id by which
 * the metaserver knows it again (this mediator's own, where whoever asked for it gave none); and syncs.
 */
export function repeatLost(lostCalls: LostCalls): MetadataService {
  const { metadata, ids, unsynced } = lostCalls;
  let sent = 0;
  return {
    async execute(message, options) {
      lostCalls.calls++;
      // Not as a durable one itself: what others see of it before it is answered would not be there to build upon.
      if (unsynced.isCrowded && !message.durable) await lostCalls.sync(options);
      const isOnce = !REPEATABLE.has(message.name);
      let place = 0;
      let answered = 0;
      let losses = 0;
      let known = message;
      const send = () =>
        lostCalls.ask((limits) => {
          place = ++sent;
          answered = unsynced.answered;
          losses = lostCalls.losses;
          return metadata.execute(known, limits);
        }, options);
      const sendAs = (id: RequestId) => {
        known = { ...message, id };
        return send();
      };
      lostCalls.underWay++;
      try {
        const result = await (isOnce && message.id === undefined ? ids.run(sendAs) : send());
        if (message.durable) lostCalls.noteDurable(answered, losses);
        else if (isOnce) lostCalls.noteAnswered(known, result, place);
        return result;
      } catch (error) {
        // What was not sent or is refused changes nothing. Whoever sends what may come twice finds out by itself.
        if (isOnce && place > 0 && !(error instanceof FileError)) lostCalls.noteUnclear(message.name, place);
        throw error;
      } finally {
        lostCalls.underWay--;
      }
    },
    query(message, options) {
      lostCalls.calls++;
      return lostCalls.ask((limits) => metadata.query(message, limits), options);
    },
    async sync(_request, options) {
      const before = lostCalls.verifier;
      await lostCalls.sync(options);
      // Whoever asks is about to act on what was there.
      if (isUnbroken(before, lostCalls.verifier)) return {};
      throw new ServiceError('UNREACHABLE', 'changes were lost while they were to be stored');
    },
  };
}
