// The feed of changes: what each mount has made outdated in the caches of the
// others, numbered in order. It remembers a change until every subscriber has
// acknowledged it, and drops the oldest ones when a subscriber is too far
// behind: that one is told that it has missed some.
import { LONGEST_WAIT_MS, type OutdatedItem } from '../../protocol/services/sessions.js';
import { assert } from '../../runtime/assert.js';
import type { Clock } from '../../runtime/clock.js';

/** Changes remembered; a client that is further behind forgets all that it has cached. */
const MAXIMUM_CHANGES = 10_000;
/** Acknowledged changes are dropped at least this many at a time, because dropping copies the rest. */
const MINIMUM_DROPPED = 256;

/** One session's place in the feed. */
export interface Subscriber {
  /** The number of the last change that another session made. */
  lastOfOthers: number;
  /** The client has received all changes up to this number. */
  acknowledged: number;
  /** End the waits of its `changes` calls. */
  wakers: Set<() => void>;
}

interface Change {
  number: number;
  origin: Subscriber | undefined;
  item: OutdatedItem;
}

export class ChangeFeed {
  readonly #subscribers = new Set<Subscriber>();
  /** Their numbers are consecutive, and the last one is `#last`. */
  #changes: Change[] = [];
  #last = 0;
  #isClosed = false;

  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of the last change. */
  get last(): number {
    return this.#last;
  }

  /** Changes remembered. */
  get size(): number {
    return this.#changes.length;
  }

  /** Calls of `changes` that wait. */
  get waits(): number {
    let waits = 0;
    for (const { wakers } of this.#subscribers) waits += wakers.size;
    return waits;
  }

  /** A new subscriber hears of everything that changes from now on. */
  subscribe(): Subscriber {
    const subscriber = { lastOfOthers: this.#last, acknowledged: this.#last, wakers: new Set<() => void>() };
    this.#subscribers.add(subscriber);
    return subscriber;
  }

  unsubscribe(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
    wake(subscriber);
  }

  /** Tells all subscribers but the origin that what they have cached of these is outdated. */
  publish(items: readonly OutdatedItem[], origin: Subscriber | undefined): void {
    if (this.#subscribers.size === 0 || (this.#subscribers.size === 1 && origin !== undefined)) return;
    for (const item of items) {
      this.#last++;
      this.#changes.push({ number: this.#last, origin, item });
    }
    if (this.#changes.length > 2 * MAXIMUM_CHANGES) this.#changes = this.#changes.slice(-MAXIMUM_CHANGES);
    for (const subscriber of this.#subscribers) {
      if (subscriber !== origin) this.#tell(subscriber);
    }
  }

  /** Tells all subscribers that they have missed changes: nobody knows which. */
  invalidateAll(): void {
    this.#changes = [];
    // Numbers are skipped, so that whatever number a client has reached, what follows is not remembered.
    this.#last += 2;
    for (const subscriber of this.#subscribers) this.#tell(subscriber);
  }

  /** The client has received all changes up to this number. */
  acknowledge(subscriber: Subscriber, number: number): void {
    // A higher number is from the feed of another mediator process.
    if (number <= this.#last) subscriber.acknowledged = Math.max(subscriber.acknowledged, number);
    this.#dropAcknowledged();
  }

  /** Whether `read` would answer with something now. */
  hasNews(subscriber: Subscriber, after: number): boolean {
    if (this.#isClosed || this.#hasMissed(after)) return true;
    for (let at = this.#positionAfter(after); at < this.#changes.length; at++) {
      if (this.#changes[at]?.origin !== subscriber) return true;
    }
    return false;
  }

  /** Resolves when something is published, the subscriber or the caller is gone, or LONGEST_WAIT_MS are over. */
  untilNews(subscriber: Subscriber, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(LONGEST_WAIT_MS, () => end());
      const end = (): void => {
        timer.cancel();
        subscriber.wakers.delete(end);
        // A mount in this process gives the same signal all its life.
        signal?.removeEventListener('abort', end);
        resolve();
      };
      subscriber.wakers.add(end);
      signal?.addEventListener('abort', end);
    });
  }

  /** What other sessions have changed after number `after`. */
  read(subscriber: Subscriber, after: number): { items: OutdatedItem[]; last: number; missed: boolean } {
    const missed = this.#hasMissed(after);
    const items: OutdatedItem[] = [];
    if (!missed) {
      for (let at = this.#positionAfter(after); at < this.#changes.length; at++) {
        const change = this.#changes[at];
        if (change !== undefined && change.origin !== subscriber) items.push(change.item);
      }
    }
    return { items, last: this.#last, missed };
  }

  /** Ends all waits; none begins any more. */
  close(): void {
    this.#isClosed = true;
    for (const subscriber of this.#subscribers) wake(subscriber);
  }

  #tell(subscriber: Subscriber): void {
    subscriber.lastOfOthers = this.#last;
    wake(subscriber);
  }

  /** The position in #changes of the first change after this number, by arithmetic: there may be thousands before it. */
  #positionAfter(number: number): number {
    const first = this.#changes[0]?.number ?? this.#last + 1;
    assert(first + this.#changes.length === this.#last + 1, 'the numbers of the remembered changes are consecutive');
    return Math.max(0, number + 1 - first);
  }

  #dropAcknowledged(): void {
    let acknowledged = this.#last;
    for (const subscriber of this.#subscribers) acknowledged = Math.min(acknowledged, subscriber.acknowledged);
    const count = Math.min(this.#positionAfter(acknowledged), this.#changes.length);
    if (count >= MINIMUM_DROPPED) this.#changes = this.#changes.slice(count);
  }

  /** Changes after this number are no longer remembered, or the number is not of this feed. */
  #hasMissed(after: number): boolean {
    const oldest = this.#changes[0]?.number ?? this.#last + 1;
    return after + 1 < oldest || after > this.#last;
  }
}

function wake({ wakers }: Subscriber): void {
  for (const end of [...wakers]) end();
}
