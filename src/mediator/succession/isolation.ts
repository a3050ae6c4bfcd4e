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

export interface IsolationParts {
  /** Whether enough data servers for a write are let in. */
  isWell: () => boolean;
  /** How many data servers answer this mediator, asked in the same way as the others ask them. */
  reach: () => Promise<number>;
  others: readonly { name: string; remote: Pick<Remote, 'service'> }[];
  clock: Clock;
  /** Called when another mediator reaches more data servers; nothing is looked at any more. */
  giveWay: (to: string) => void;
}

export class Isolation {
  #timer: Timer;
  #looking: Promise<void> | null = null;
  #isOver = false;

  readonly #parts: IsolationParts;

  constructor(parts: IsolationParts) {
    this.#parts = parts;
    this.#timer = this.#schedule();
  }

  close(): void {
    this.#isOver = true;
    this.#timer.cancel();
  }

  /** The same service. What fails for want of data servers is answered only when no other mediator would do better. */
  watch<T extends object>(service: T): T {
    return new Proxy(service, {
      get: (target, member) => {
        const method: unknown = Reflect.get(target, member);
        if (typeof method !== 'function') return method;
        return async (request: object, options?: CallOptions) => {
          try {
            return await method.call(target, request, options);
          } catch (error) {
            if (error instanceof FileError && error.code === 'EIO') await this.#look();
            throw error;
          }
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

  #look(): Promise<void> {
    if (this.#isOver || this.#parts.isWell()) return Promise.resolve();
    this.#looking ??= this.#compare().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #compare(): Promise<void> {
    const first = await this.#better();
    if (first === undefined) return;
    await sleep(this.#parts.clock, AGAIN_MS);
    const again = await this.#better();
    if (again === undefined || this.#isOver || this.#parts.isWell()) return;
    this.close();
    this.#parts.giveWay(again);
  }

  /** The one that more data servers answer than this one. */
  async #better(): Promise<string | undefined> {
    const { reach, others } = this.#parts;
    const asked = others.map(async ({ name, remote }) => ({ name, count: await reachOf(remote) }));
    const [own, ...theirs] = await Promise.all([reach(), ...asked]);
    return theirs.sort((one, other) => other.count - one.count).find(({ count }) => count > own)?.name;
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
