// Commands that this mediator has answered by itself, on their way to the
// metaserver: in order, many in one message, and before whatever is asked after
// them. After each new connection, those that are not confirmed are sent again.
import type {
  AnsweredCommand,
  CommandName,
  Commands,
  MetaserverService,
  Outcomes,
} from '../../protocol/services/metadata.js';
import type { Clock, Timer } from '../../runtime/clock.js';

/** A command waits for so long before it is sent. What waits is lost with this process. */
const SEND_AFTER_MS = 4;
/** Commands in one message; so many are sent at once. */
export const MOST_AT_ONCE = 256;
/** With more that are not confirmed, or when none was for so long, none is added: the metaserver is slow, or away. */
const MOST = 4096;
const LONGEST_SILENCE_MS = 1000;
/** What was heard of the metaserver's disk holds for so long. */
const HEARD_MS = 25;

/** A command with its answer, and its number among all commands. */
export interface Answered {
  command: AnsweredCommand;
  result: Commands[CommandName]['result'];
  place: number;
}

export interface AnsweredStreamParts {
  metadata: MetaserverService;
  deadlineMs: number;
  clock: Clock;
  /** Whether calls reach a metaserver that has all that was confirmed. */
  isReady(): boolean;
  /** What became of commands. */
  confirmed(outcomes: Outcomes, commands: readonly Answered[]): void;
  /** Commands are not confirmed. The connection is to be made ready anew, and they are to be sent again. */
  interrupted(error: unknown): void;
}

export class AnsweredStream {
  #waiting: Answered[] = [];
  #sent: Answered[] = [];
  /** Messages that are not answered yet. */
  readonly #sending = new Set<Promise<void>>();
  /** When some were last confirmed, or, if nothing was on its way then, the first of `#sent` was sent. */
  #sinceMs = 0;
  /** Grows when what was sent is to be sent again: answers from before don't count. */
  #epoch = 0;
  #timer: Timer | null = null;
  #asking: Promise<void> | null = null;
  /** When it was heard that the disk takes changes, and that it has room. */
  #changesHeardMs = Number.NEGATIVE_INFINITY;
  #roomHeardMs = Number.NEGATIVE_INFINITY;

  readonly #parts: AnsweredStreamParts;

  constructor(parts: AnsweredStreamParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#waiting.length + this.#sent.length;
  }

  /** Whether one more may be added. */
  get isOpen(): boolean {
    const { clock, isReady } = this.#parts;
    if (!isReady() || this.size >= MOST) return false;
    return this.#sent.length === 0 || clock.monotonicMs() - this.#sinceMs < LONGEST_SILENCE_MS;
  }

  /** Whether the metaserver's disk takes changes, by what was heard of it just now. A disk may fill up or fail at any time. */
  takes(needsRoom: boolean): boolean {
    const heardMs = needsRoom ? this.#roomHeardMs : this.#changesHeardMs;
    return this.#parts.clock.monotonicMs() - heardMs < HEARD_MS;
  }

  /** Asks how the metaserver's disk is. Those that ask meanwhile get the same answer; never rejects. */
  askDisk(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  add(answered: Answered): void {
    this.#waiting.push(answered);
    if (this.#waiting.length >= MOST_AT_ONCE) this.flush();
    else this.#timer ??= this.#parts.clock.after(SEND_AFTER_MS, () => this.flush());
  }

  /** Sends what waits. To be called right before every other call. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#waiting.length === 0 || !this.#parts.isReady()) return;
    const batch = this.#waiting;
    this.#waiting = [];
    if (this.#sent.length === 0) this.#sinceMs = this.#parts.clock.monotonicMs();
    this.#sent.push(...batch);
    const sending = this.#send(batch, this.#epoch).finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
  }

  /** Resolves when it is known what has become of each message that is on its way now. */
  async heard(): Promise<void> {
    await Promise.all(this.#sending);
  }

  /**
   * All that are not confirmed, to be carried out by a metaserver before it is asked for anything else, and then to be `settled`.
   * Nothing is added meanwhile.
   */
  unconfirmed(): readonly Answered[] {
    this.#epoch++;
    this.#sent.push(...this.#waiting);
    this.#waiting = [];
    return [...this.#sent];
  }

  settled(): void {
    this.#sent = [];
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  async #ask(): Promise<void> {
    const { metadata, deadlineMs, interrupted } = this.#parts;
    const epoch = this.#epoch;
    this.flush();
    try {
      const { takesChanges, hasRoom } = await metadata.executeAll({ commands: [] }, { deadlineMs });
      this.#heard(takesChanges, hasRoom);
    } catch (error) {
      if (epoch === this.#epoch) interrupted(error);
    }
  }

  #heard(takesChanges: boolean, hasRoom: boolean): void {
    const nowMs = this.#parts.clock.monotonicMs();
    this.#changesHeardMs = takesChanges ? nowMs : Number.NEGATIVE_INFINITY;
    this.#roomHeardMs = hasRoom ? nowMs : Number.NEGATIVE_INFINITY;
  }

  async #send(batch: readonly Answered[], epoch: number): Promise<void> {
    const { metadata, deadlineMs, confirmed, interrupted, clock } = this.#parts;
    try {
      const outcomes = await metadata.executeAll({ commands: batch.map(({ command }) => command) }, { deadlineMs });
      if (epoch !== this.#epoch) return;
      this.#sent.splice(0, batch.length);
      this.#sinceMs = clock.monotonicMs();
      this.#heard(outcomes.takesChanges, outcomes.hasRoom);
      confirmed(outcomes, batch);
    } catch (error) {
      if (epoch !== this.#epoch) return;
      // What comes of later messages is not known either, in this order.
      this.#epoch++;
      interrupted(error);
    }
  }
}
