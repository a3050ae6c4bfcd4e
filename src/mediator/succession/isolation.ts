// The active mediator that reaches too few data servers for a write gives way to one that reaches more: nobody else would notice,
// since the metaservers hear of it.
import { FileError } from '../../protocol/errors.js';
import type { CallOptions } from '../../protocol/services/service.js';
import type { StandingService } from '../../protocol/services/standing.js';
import type { Remote } from '../../protocol/wire/client.js';
import { type Clock, sleep, type Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';

const CHECK_MS = 1000;
/** A data server that is just coming back may be seen by one before the other. */
const AGAIN_MS = 300;
/** Whoever asks waits for the data servers itself. */
const ANSWER_MS = 1500;
/** Data servers that answer are let in within this, looked at so often. */
const BACK_MS = 1500;
const BACK_CHECK_MS = 50;

export interface IsolationParts {
  /** Whether enough data servers for a write are let in. */
  isWell: () => boolean;
  /** How many data servers answer this mediator, asked in the same way as the others ask them. */
  reach: () => Promise<number>;
  /** So many are enough for a write. */
  enough: number;
  others: readonly { name: string; remote: Pick<Remote, 'service'> }[];
  clock: Clock;
  /**
   * This mediator has given way lately: until then (the clock's monotonic milliseconds) it does not do so again, unless it has been
   * well since. Else two that both reach too few would hand over all the time.
   */
  staysUntilMs: number;
  /** Called when another mediator reaches more data servers; nothing is looked at any more. */
  giveWay: (to: string) => void;
}

export class Isolation {
  #timer: Timer;
  #looking: Promise<number> | null = null;
  #isOver = false;
  #staysUntilMs: number;

  readonly #parts: IsolationParts;

  constructor(parts: IsolationParts) {
    this.#parts = parts;
    this.#staysUntilMs = parts.staysUntilMs;
    this.#timer = this.#schedule();
  }

  close(): void {
    this.#isOver = true;
    this.#timer.cancel();
  }

  /**
   * The same service. What fails for want of data servers is answered only when no other mediator would do better, and is tried once
   * more when they have come back meanwhile.
   */
  watch<T extends object>(service: T): T {
    return new Proxy(service, {
      get: (target, member) => {
        const method: unknown = Reflect.get(target, member);
        if (typeof method !== 'function') return method;
        return async (request: object, options?: CallOptions) => {
          try {
            return await method.call(target, request, options);
          } catch (error) {
            if (!(error instanceof FileError && error.code === 'EIO' && (await this.#comeBack()))) throw error;
            // The caller is gone: it may have asked for something else since.
            if (options?.signal?.aborted === true) throw error;
          }
          return method.call(target, request, options);
        };
      },
    });
  }

  #schedule(): Timer {
    return this.#parts.clock.after(CHECK_MS, () => {
      void this.#look().finally(() => {
        if (!this.#isOver) this.#timer = this.#schedule();
      });
    });
  }

  /** Whether there were too few data servers, and enough of them are let in again. */
  async #comeBack(): Promise<boolean> {
    const { enough, clock } = this.#parts;
    const isWell = () => this.#isWell();
    if (this.#isOver || isWell() || (await this.#look()) < enough) return false;
    for (let waitedMs = 0; waitedMs < BACK_MS && !this.#isOver && !isWell(); waitedMs += BACK_CHECK_MS)
      await sleep(clock, BACK_CHECK_MS);
    return !this.#isOver && isWell();
  }

  /** Answers how many data servers this mediator reaches; -1 when it is not for it to say. */
  #look(): Promise<number> {
    if (this.#isOver || this.#isWell()) return Promise.resolve(-1);
    this.#looking ??= this.#compare().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #compare(): Promise<number> {
    const { clock } = this.#parts;
    const first = await this.#counts();
    if (first.better === undefined || clock.monotonicMs() < this.#staysUntilMs) return first.own;
    await sleep(clock, AGAIN_MS);
    const { own, better } = await this.#counts();
    if (better === undefined || this.#isOver || this.#isWell()) return own;
    this.close();
    this.#parts.giveWay(better);
    return -1;
  }

  #isWell(): boolean {
    const isWell = this.#parts.isWell();
    if (isWell) this.#staysUntilMs = Number.NEGATIVE_INFINITY;
    return isWell;
  }

  /** How many data servers answer this mediator, and another one that more of them answer. */
  async #counts(): Promise<{ own: number; better: string | undefined }> {
    const { reach, others } = this.#parts;
    const asked = others.map(async ({ name, remote }) => ({ name, count: await reachOf(remote) }));
    const [own, ...theirs] = await Promise.all([reach(), ...asked]);
    const better = theirs.sort((one, other) => other.count - one.count).find(({ count }) => count > own)?.name;
    return { own, better };
  }
}

/** -1 for one that does not answer. */
async function reachOf(remote: Pick<Remote, 'service'>): Promise<number> {
  try {
    return (await remote.service<StandingService>('mediator').reach({}, { deadlineMs: ANSWER_MS })).dataservers;
  } catch (error) {
    rethrowProgramFault(error);
    return -1;
  }
}
