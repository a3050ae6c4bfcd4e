// The time for which this server leads: until when it is certain of that, and what the last entry is.
import type { ServiceError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Head, Mandate } from './shared-log.js';
import { CERTAIN_MS } from './silence.js';

/** What etcd's clock may be ahead by, and a share by which it may run faster. */
const LEASE_MARGIN_MS = 500;
const DRIFT = 0.1;

interface Waiter {
  resolve(): void;
  reject(error: ServiceError): void;
}

export class Reign {
  /** The last entry, which only this server replaces. */
  head: Head;
  /** The newest of etcd that it knows. Signs of life make some, too. */
  revision: number;
  #beatEndsMs: number;
  #leaseEndsMs: number;
  #waiters: Waiter[] = [];

  readonly mandate: Mandate;
  readonly #clock: Clock;

  /** @param sentMs when it began to ask for the mandate */
  constructor(mandate: Mandate, head: Head, sentMs: number, clock: Clock) {
    this.mandate = mandate;
    this.head = head;
    this.revision = head.revision;
    this.#clock = clock;
    this.#beatEndsMs = sentMs + CERTAIN_MS;
    this.#leaseEndsMs = leaseEnd(sentMs, mandate.leaseSeconds);
  }

  get isCertain(): boolean {
    return this.#clock.monotonicMs() < this.#endsMs;
  }

  /** For how long it has not been certain; negative while it is. */
  get uncertainMs(): number {
    return this.#clock.monotonicMs() - this.#endsMs;
  }

  /** etcd has said that it leads, to a question that was asked then. @param revision of etcd, which the answer made */
  confirmed(sentMs: number, revision: number): void {
    this.revision = Math.max(this.revision, revision);
    this.#beatEndsMs = Math.max(this.#beatEndsMs, sentMs + CERTAIN_MS);
    this.#wake();
  }

  /** etcd keeps the lease for so long from when it was asked to. */
  leaseKept(sentMs: number, seconds: number): void {
    this.#leaseEndsMs = Math.max(this.#leaseEndsMs, leaseEnd(sentMs, seconds));
    this.#wake();
  }

  /** Resolves when it is certain. Rejects when the reign ends before. */
  certainty(): Promise<void> {
    if (this.isCertain) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  end(why: ServiceError): void {
    this.#beatEndsMs = Number.NEGATIVE_INFINITY;
    for (const { reject } of this.#waiters.splice(0)) reject(why);
  }

  get #endsMs(): number {
    return Math.min(this.#beatEndsMs, this.#leaseEndsMs);
  }

  #wake(): void {
    if (!this.isCertain) return;
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }
}

function leaseEnd(sentMs: number, seconds: number): number {
  return sentMs + seconds * 1000 * (1 - DRIFT) - LEASE_MARGIN_MS;
}
