// One data server as the mediator sees it: its state, its latency, and how
// often it lost a vote or was repaired. It is down from a missed deadline until
// it answers again, and from a lost connection until it is admitted again.
import { ServiceError, wasUnanswered } from '../../protocol/errors.js';
import type { DataServerState } from '../../protocol/services/admin.js';
import type { BlockKey, BlockService, HookService, StoreStatus } from '../../protocol/services/blocks.js';
import type { Remote } from '../../protocol/wire/client.js';
import type { Clock } from '../../runtime/clock.js';
import { checkedBlocks } from './checked-blocks.js';

/** Weight of a new measurement in the moving average of the latency. */
const LATENCY_WEIGHT = 0.1;

const RECENT_REPAIRS = 256;

export interface RecentRepair {
  block: BlockKey;
  /** On the monotonic clock. */
  atMs: number;
  /** Since the vote that showed that it was needed; null where nobody measured it. */
  afterMs: number | null;
}

export class Replica {
  readonly blocks: BlockService;
  readonly hooks: HookService;
  /** Its last answer to `status`. */
  store: StoreStatus | null = null;
  /** Votes that it lost by its own fault; counted by vote-record.ts only, like `repairs`. */
  dissents = 0;
  /** Versions that were put back on it. */
  repairs = 0;
  /** The last ones, oldest first; not those of a rebuild or catch-up. */
  readonly recentRepairs: RecentRepair[] = [];
  /** How often its connection was lost. */
  losses = 0;
  /** Why its last admission failed; null once it is admitted. */
  refusal: string | null = null;
  rebuild: { done: number; total: number } | null = null;
  /** Moving average of its block reads. */
  latencyMs = 2;
  /** When it last answered, on the monotonic clock. */
  lastAnswerMs = Number.NEGATIVE_INFINITY;
  #state: DataServerState = 'down';
  /** The reject functions of calls under way. */
  readonly #pending = new Set<(reason: ServiceError) => void>();

  readonly #clock: Clock;
  readonly #changed: (replica: Replica, before: DataServerState) => void;
  readonly #fenced: () => void;

  constructor(
    readonly name: string,
    readonly address: string,
    readonly remote: Remote,
    clock: Clock,
    changed: (replica: Replica, before: DataServerState) => void,
    /** The server refuses this mediator, since it knows of a later one. */
    fenced: () => void = () => {},
  ) {
    this.#fenced = fenced;
    this.#clock = clock;
    this.#changed = changed;
    this.blocks = checkedBlocks(name, remote.service<BlockService>('blocks'));
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
      // Calls under way fail now rather than at their own deadlines.
      const pending = [...this.#pending];
      this.#pending.clear();
      for (const reject of pending) reject(new ServiceError('OUTCOME_UNKNOWN', `${this.name} is down`));
    }
    this.#changed(this, before);
  }

  /** A version was put back on it. */
  noteRepair({ inode, index, version }: BlockKey, afterMs: number | null): void {
    this.repairs++;
    this.recentRepairs.push({ block: { inode, index, version }, atMs: this.#clock.monotonicMs(), afterMs });
    if (this.recentRepairs.length > RECENT_REPAIRS) this.recentRepairs.shift();
  }

  get callsUnderWay(): number {
    return this.#pending.size;
  }

  /** Whether it takes part in reads and writes; also while it is blank or rebuilt. */
  get reachable(): boolean {
    return this.#state !== 'down';
  }

  /**
   * Calls the server. A missed deadline or a lost connection marks it down, which fails all its other calls too.
   * @param measured whether the call's duration goes into `latencyMs`
   */
  call<T>(request: () => Promise<T>, measured = false): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    // One promise for everything: this is on the way of every block.
    return new Promise((resolve, reject) => {
      const reply = request();
      this.#pending.add(reject);
      reply.then(
        (result) => {
          // It was marked down meanwhile, and this call has failed already.
          if (!this.#pending.delete(reject)) return;
          this.lastAnswerMs = this.#clock.monotonicMs();
          if (measured) this.latencyMs += (this.lastAnswerMs - startMs - this.latencyMs) * LATENCY_WEIGHT;
          resolve(result);
        },
        (error: unknown) => {
          if (!this.#pending.delete(reject)) return;
          if (error instanceof ServiceError) {
            if (error.code === 'FENCED') this.#fenced();
            else if (wasUnanswered(error)) this.state = 'down';
          }
          reject(error);
        },
      );
    });
  }
}
