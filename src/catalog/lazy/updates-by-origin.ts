// Which keys hold updates of each origin, in the order in which that made them: what somebody lacks is found without a look at all keys.
import { type Key, numberOf, type Update } from './update.js';
import type { Vector } from './vector.js';

interface Place {
  readonly number: number;
  readonly key: Key;
}

/** Places that are not true any more may be so many more than those that are. */
const MOST_IDLE = 64;

export class UpdatesByOrigin {
  /** In the order of their numbers; some were replaced since. */
  readonly #places = new Map<string, Place[]>();
  /** How many of them were not. */
  readonly #live = new Map<string, number>();

  readonly #updateOf: (key: Key) => Update | undefined;

  constructor(updateOf: (key: Key) => Update | undefined) {
    this.#updateOf = updateOf;
  }

  /** The key has another update now. @param before undefined when it had none */
  replaced(key: Key, before: Update | undefined, now: Update): void {
    if (before !== undefined) this.#live.set(before.origin, (this.#live.get(before.origin) ?? 0) - 1);
    this.#live.set(now.origin, (this.#live.get(now.origin) ?? 0) + 1);
    const places = this.#places.get(now.origin) ?? [];
    this.#places.set(now.origin, places);
    const number = numberOf(now);
    places.splice(firstAbove(places, number), 0, { number, key });
    if (places.length > 2 * (this.#live.get(now.origin) ?? 0) + MOST_IDLE) {
      this.#places.set(
        now.origin,
        places.filter((place) => this.#isTrue(now.origin, place)),
      );
    }
  }

  /** The keys of updates that one who has seen only that lacks. */
  *since(seen: Vector): Generator<Key> {
    for (const [origin, places] of this.#places) {
      for (let at = firstAbove(places, seen[origin] ?? 0); at < places.length; at++) {
        const place = places[at];
        if (place !== undefined && this.#isTrue(origin, place)) yield place.key;
      }
    }
  }

  #isTrue(origin: string, { number, key }: Place): boolean {
    const update = this.#updateOf(key);
    return update?.origin === origin && numberOf(update) === number;
  }
}

function firstAbove(places: readonly Place[], number: number): number {
  let low = 0;
  for (let high = places.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if ((places[middle]?.number ?? 0) > number) high = middle;
    else low = middle + 1;
  }
  return low;
}
