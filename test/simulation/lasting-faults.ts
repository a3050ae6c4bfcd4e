// Faults that last for some time: each is ended when its time is over, or with all
// others, and whatever is concerned can't be counted on meanwhile.
import type { Atlas } from './atlas.js';
import type { Host, World } from './world/host.js';

const MILLISECOND_US = 1000;

/** The number of a data server, or 'way' for what holds up changes of metadata. */
export type Concerned = number | 'way';

interface ActiveFault {
  end(): void;
}

export class LastingFaults {
  /** Faults so far, with those that do not last. */
  started = 0;
  readonly #active = new Set<ActiveFault>();
  /** When the way of a request through mediator and metaserver was last held up. */
  #heldUpUs = 0;
  #holdUps = 0;

  readonly #world: World;
  readonly #atlas: Atlas;

  constructor(world: World, atlas: Atlas) {
    this.#world = world;
    this.#atlas = atlas;
  }

  /** Since when nothing holds up requests on their way, microseconds; null while something does. */
  get clearSinceUs(): number | null {
    return this.#holdUps > 0 ? null : this.#heldUpUs;
  }

  endAll(): void {
    for (const fault of [...this.#active]) fault.end();
  }

  /** A request was held up for a moment. */
  interrupts(): void {
    this.#heldUpUs = this.#world.scheduler.nowUs;
  }

  /** Something is wrong from now on, for some time. */
  lasting(words: string, concerned: readonly Concerned[], durationMs: number, end: () => void): void {
    const { scheduler } = this.#world;
    this.#world.note(`fault: ${words} for ${durationMs} ms`);
    const key = `${words} ${this.started}`;
    const isOnTheWay = concerned.includes('way');
    for (const each of concerned) if (each !== 'way') this.#atlas.troubleStarts(each, key);
    if (isOnTheWay) this.#holdUps++;
    const fault: ActiveFault = {
      end: () => {
        if (!this.#active.delete(fault)) return;
        this.#world.note(`over: ${words}`);
        end();
        for (const each of concerned) if (each !== 'way') this.#atlas.troubleEnds(each, key);
        if (!isOnTheWay) return;
        this.#holdUps--;
        this.#heldUpUs = scheduler.nowUs;
      },
    };
    this.#active.add(fault);
    scheduler.after(durationMs * MILLISECOND_US, () => fault.end());
  }

  /** A process ends now and is started again later. */
  outage(host: Host, concerned: Concerned, words: string, end: () => void): void {
    end();
    this.lasting(`${host.name} is ${words}`, [concerned], this.downMs(), () => host.start());
  }

  /** The process does nothing for some time. */
  stop(host: Host, concerned: Concerned | null, longestMs = 3000): void {
    const { process } = host;
    if (process === null || process.isStopped) return;
    process.stop();
    const durationMs = this.#world.random.between(20, longestMs);
    this.lasting(`${host.name} is stopped`, concerned === null ? [] : [concerned], durationMs, () => process.resume());
  }

  downMs(): number {
    const { random } = this.#world;
    return random.chance(0.5) ? random.between(1, 100) : random.between(100, 3000);
  }
}
