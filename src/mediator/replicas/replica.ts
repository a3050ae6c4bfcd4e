// One data server as the mediator sees it: reachable or not, how fast, and
// what it did wrong. A server that misses a deadline is down until it answers
// again; one whose connection is gone is down until it is back.
import { ServiceError } from '../../protocol/errors.js';
import type { DataServerState } from '../../protocol/services/admin.js';
import type { BlockService, HookService, StoreStatus } from '../../protocol/services/blocks.js';
import type { Remote } from '../../protocol/wire/client.js';
import type { Clock } from '../../runtime/clock.js';

/** How fast the remembered latency follows: a share of each new measurement. */
const LATENCY_WEIGHT = 0.1;

export class Replica {
  readonly blocks: BlockService;
  readonly hooks: HookService;
  /** Last known numbers of its store. */
  store: StoreStatus | null = null;
  dissents = 0;
  repairs = 0;
  /** How often its connection was lost. */
  losses = 0;
  /** Why it was not let in when it last knocked; null since it was. */
  refusal: string | null = null;
  rebuild: { done: number; total: number } | null = null;
  /** Mean milliseconds of its recent block reads. */
  latencyMs = 2;
  /** When it last answered, on the monotonic clock. */
  heardMs = Number.NEGATIVE_INFINITY;
  #state: DataServerState = 'down';
  /** Calls under way, each by what ends it. */
  readonly #waiting = new Set<(reason: ServiceError) => void>();

  readonly #clock: Clock;
  readonly #changed: (replica: Replica, before: DataServerState) => void;

  constructor(
    readonly name: string,
    readonly address: string,
    readonly remote: Remote,
    clock: Clock,
    changed: (replica: Replica, before: DataServerState) => void,
  ) {
    this.#clock = clock;
    this.#changed = changed;
    this.blocks = remote.service<BlockService>('blocks');
    this.hooks = remote.service<HookService>('hooks');
  }

  get state(): DataServerState {
    return this.#state;
  }

  set state(next: DataServerState) {
    const before = this.#state;
    if (before === next) return;
    this.#state = next;
    if (next === 'down') {
      // Whoever waits for this server need not wait for its own deadline too.
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      for (const giveUp of waiting) giveUp(new ServiceError('UNREACHABLE', `${this.name} is down`));
    }
    this.#changed(this, before);
  }

  /** Calls that it has not answered. */
  get callsUnderWay(): number {
    return this.#waiting.size;
  }

  /** Takes part in reads and writes. */
  get reachable(): boolean {
    return this.#state !== 'down';
  }

  /**
   * Calls the server and learns from the outcome: a deadline that passes takes it down, and with it all other calls.
   * @param measured whether the time it took says something about its peers' expected latency
   */
  call<T>(request: () => Promise<T>, measured = false): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    // One promise for everything: this is on the way of every block.
    return new Promise((resolve, reject) => {
      const reply = request();
      this.#waiting.add(reject);
      reply.then(
        (result) => {
          // Given up meanwhile.
          if (!this.#waiting.delete(reject)) return;
          this.heardMs = this.#clock.monotonicMs();
          if (measured) this.latencyMs += (this.heardMs - startMs - this.latencyMs) * LATENCY_WEIGHT;
          resolve(result);
        },
        (error: unknown) => {
          if (!this.#waiting.delete(reject)) return;
          const isSilent = error instanceof ServiceError && (error.code === 'DEADLINE' || error.code === 'UNREACHABLE');
          if (isSilent) this.state = 'down';
          reject(error);
        },
      );
    });
  }
}
