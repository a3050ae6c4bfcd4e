// The time in which this process is the active mediator: from the epoch that it was
// given until another one has taken over. Where others may take over, it answers
// only while the metadata has confirmed its epoch lately: a process that was stopped
// finds that time over before it answers anything.
import { FileError, ServiceError } from '../../protocol/errors.js';
import type { CommandName, MetaserverService, Queries, QueryName } from '../../protocol/services/metadata.js';
import type { CallOptions } from '../../protocol/services/service.js';
import { type Clock, sleep, type Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';

/** Without a sign of the active mediator for so long, as the metaserver that leads counts it, another one takes over. */
export const SILENCE_MS = 640;
/** So long after a call was sent that was answered, nobody else can be active: clocks may differ by far less than the rest. */
const LEASE_MS = 430;
/** An idle mediator gives a sign of life so often. */
const RENEWAL_MS = 150;
const RETRY_MS = 20;

export interface TenureParts {
  epoch: number;
  /** When its epoch was asked for, on the monotonic clock. */
  sinceMs: number;
  isSole: boolean;
  clock: Clock;
  /** Called once, before any call fails by it. */
  replaced(): void;
}

export class Tenure {
  readonly epoch: number;
  /** Nobody takes over by himself: it may answer as long as it is not refused. */
  readonly isSole: boolean;
  #confirmedMs: number;
  #isOver = false;
  #renewing: Promise<void> | null = null;
  #timer: Timer | null = null;
  /** Any call to the metaserver that leads, over a connection that has said the epoch. */
  #renew: () => Promise<unknown> = async () => {};

  readonly #clock: Clock;
  readonly #replaced: () => void;

  constructor({ epoch, sinceMs, isSole, clock, replaced }: TenureParts) {
    this.epoch = epoch;
    this.#confirmedMs = sinceMs;
    this.isSole = isSole;
    this.#clock = clock;
    this.#replaced = replaced;
  }

  /** Whether no other mediator is active, for sure. */
  get isSure(): boolean {
    if (this.#isOver) return false;
    return this.isSole || this.#clock.monotonicMs() - this.#confirmedMs < LEASE_MS;
  }

  /** Whether the metadata has confirmed the epoch within that time. */
  isConfirmedWithin(timeMs: number): boolean {
    return !this.#isOver && this.#clock.monotonicMs() - this.#confirmedMs < timeMs;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** @throws ServiceError FENCED once another mediator has taken over */
  check(): void {
    if (this.#isOver) throw replacedError();
  }

  /** From now on it is renewed. */
  begin(renew: () => Promise<unknown>): void {
    this.#renew = renew;
    if (!this.isSole) this.#schedule();
  }

  /** Answers nothing any more. */
  end(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  /** The same service, whose answers confirm the epoch, or end this tenure. */
  watch(metadata: MetaserverService): MetaserverService {
    return {
      execute: <K extends CommandName>(message: { name: K }, options?: CallOptions) =>
        this.#watched(() => metadata.execute(message as never, options)),
      executeAll: (request, options) => this.#watched(() => metadata.executeAll(request, options)),
      query: <K extends QueryName>(message: { name: K; request: Queries[K]['request'] }, options?: CallOptions) =>
        this.#watched(() => metadata.query(message, options)),
      sync: (request, options) => this.#watched(() => metadata.sync(request, options)),
    };
  }

  /** Somebody has seen a later epoch: the metadata is asked before anything else is answered. */
  doubt(): void {
    this.#confirmedMs = Number.NEGATIVE_INFINITY;
    void this.#renewOnce();
  }

  /**
   * Carries a call out and passes its outcome on, both only while no other mediator can be active.
   * @throws ServiceError FENCED
   */
  async guard<T>(call: () => Promise<T>): Promise<T> {
    await this.#confirmed();
    try {
      return await call();
    } finally {
      await this.#confirmed();
    }
  }

  async #confirmed(): Promise<void> {
    while (!this.isSure) {
      this.check();
      await this.#renewOnce();
    }
  }

  #renewOnce(): Promise<void> {
    this.#renewing ??= this.#renew()
      .then(
        () => {},
        // The metadata can't be reached: nothing is answered until it can.
        async (error: unknown) => {
          rethrowProgramFault(error);
          if (!this.#isOver) await sleep(this.#clock, RETRY_MS);
        },
      )
      .finally(() => {
        this.#renewing = null;
      });
    return this.#renewing;
  }

  #schedule(): void {
    this.#timer = this.#clock.after(RENEWAL_MS, () => {
      if (this.#isOver) return;
      if (this.#clock.monotonicMs() - this.#confirmedMs >= RENEWAL_MS) void this.#renewOnce();
      this.#schedule();
    });
  }

  async #watched<T>(call: () => Promise<T>): Promise<T> {
    this.check();
    const sentMs = this.#clock.monotonicMs();
    try {
      const result = await call();
      this.#confirm(sentMs);
      return result;
    } catch (error) {
      if (error instanceof FileError) this.#confirm(sentMs);
      else if (error instanceof ServiceError && error.code === 'FENCED') this.#lose();
      throw error;
    }
  }

  #confirm(sentMs: number): void {
    if (sentMs > this.#confirmedMs) this.#confirmedMs = sentMs;
  }

  #lose(): void {
    if (this.#isOver) return;
    this.end();
    this.#replaced();
  }
}

function replacedError(): ServiceError {
  return new ServiceError('FENCED', 'another mediator has taken over');
}
