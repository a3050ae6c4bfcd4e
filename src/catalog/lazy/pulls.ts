// What a server has begun to give to others that lack more than fits into a message: the rest is asked for part by part, and is what it
// was when the first part was asked for.
import { ServiceError } from '../../protocol/errors.js';
import { dropOldest } from '../../runtime/drop-oldest.js';
import { inParts } from '../map/in-parts.js';
import type { Batch, Replica } from './replica.js';
import { bytesOf, type KeyedUpdate } from './update.js';
import type { Vector } from './vector.js';

/** Of the updates of one message; a single one may be longer. */
const MOST_MESSAGE_BYTES = 1024 * 1024;
/** Of those that have not been asked for to the end. */
const MOST_BEGUN = 16;

export function isLarge(updates: readonly KeyedUpdate[]): boolean {
  const sum = updates.reduce((bytes, update) => bytes + bytesOf(update), 0);
  return sum > MOST_MESSAGE_BYTES;
}

/** A part of what the asker lacks. */
export interface PulledPart extends Batch {
  /** What the rest is asked for by; null at the end: then all parts together are the batch. */
  readonly rest: number | null;
}

interface Begun {
  readonly parts: Iterator<KeyedUpdate[]>;
  readonly since: Vector;
  readonly seen: Vector;
  next: IteratorResult<KeyedUpdate[]>;
}

export class Pulls {
  readonly #begun = new Map<number, Begun>();
  #number = 0;

  readonly #replica: Replica;

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  begin(seen: Vector): PulledPart {
    const batch = this.#replica.since(seen);
    const parts = inParts(batch.updates, bytesOf, MOST_MESSAGE_BYTES);
    const number = ++this.#number;
    this.#begun.set(number, { parts, since: batch.since, seen: batch.seen, next: parts.next() });
    dropOldest(this.#begun, MOST_BEGUN);
    return this.goOn(number);
  }

  goOn(number: number): PulledPart {
    const begun = this.#begun.get(number);
    if (begun === undefined) throw new ServiceError('REFUSED', 'it is not known any more what was asked for');
    const { parts, since, seen, next } = begun;
    const updates = next.done === true ? [] : next.value;
    begun.next = parts.next();
    const isLast = begun.next.done === true;
    if (isLast) this.#begun.delete(number);
    return { updates, since, seen, rest: isLast ? null : number };
  }
}
