// Calls to the metaserver that were lost with their connection: nobody knows
// whether they were carried out. Asks again what may be carried out twice,
// within the deadline that every call has. Must never repeat a command that
// the metaserver would not recognise, nor answer a sync for what a crash may
// have taken.
import type { Remote } from '../protocol/client.js';
import { ServiceError } from '../protocol/errors.js';
import type { CommandName, MetadataService } from '../protocol/metadata.js';
import type { CallOptions } from '../protocol/service.js';
import type { Clock } from '../runtime/clock.js';

/** A metaserver may take long over a large truncation, and over its own restart. */
export const METADATA_DEADLINE_MS = 30_000;
/** Asked twice, it gives two ranges of numbers away, of which there are enough. */
const REPEATABLE: ReadonlySet<CommandName> = new Set(['allocate']);
/** Whoever sent these finds out by itself when a crash has undone them. */
const REDONE: ReadonlySet<CommandName> = new Set(['collected', 'purge']);

export class LostCalls {
  /** Commands that were answered, and how many of them are known to be on the metaserver's disk. */
  answered = 0;
  durable = 0;
  #losses = 0;
  /** Since the last loss nobody has asked the metaserver who it is. */
  #isUnverified = false;
  /** Commands had been answered and were not known to be durable when the connection was lost. */
  #isAtStake = false;
  #isUndone = false;
  #start = '';

  constructor(
    metaserver: Remote,
    private readonly deadlineMs: number,
    private readonly clock: Clock,
  ) {
    metaserver.onStateChange((state) => {
      if (state !== 'down') return;
      this.#losses++;
      this.#isUnverified = true;
      if (this.answered > this.durable) this.#isAtStake = true;
      this.durable = this.answered;
    });
  }

  /** The process that answers after a loss may not know all that was answered before it. */
  get isAtStake(): boolean {
    return this.#isAtStake;
  }

  /** The process that has answered so far. */
  set start(start: string) {
    this.#start = start;
  }

  /** Asks the metaserver after a loss who it is; whether commands that were answered have gone with another process. */
  async verify(metadata: MetadataService): Promise<boolean> {
    let start = this.#start;
    for (let losses = -1; this.#isUnverified && losses !== this.#losses; ) {
      losses = this.#losses;
      ({ start } = await metadata.query({ name: 'statistics', request: {} }));
    }
    // Somebody else may have asked meanwhile.
    if (!this.#isUnverified) return false;
    const isUndone = this.#isAtStake && start !== this.#start;
    this.#isUnverified = false;
    this.#isAtStake = false;
    this.#start = start;
    if (isUndone) this.#isUndone = true;
    return isUndone;
  }

  /** Whoever asks for what came before to be durable must hear of it: once. */
  takeUndone(): boolean {
    const wasUndone = this.#isUndone;
    this.#isUndone = false;
    return wasUndone;
  }

  /** How often the connection was lost. */
  get losses(): number {
    return this.#losses;
  }

  /** The first `count` commands are on the disk, unless the process that says so has not seen them. */
  noteDurable(count: number, losses: number): void {
    if (losses === this.#losses) this.durable = Math.max(this.durable, count);
  }

  /** Makes a call, and again whenever the connection breaks under it and `mayRepeat` says so, until the deadline. */
  async repeat<T>(call: (limits: CallOptions) => Promise<T>, mayRepeat: () => boolean = () => true): Promise<T> {
    const endMs = this.clock.monotonicMs() + this.deadlineMs;
    for (let leftMs = this.deadlineMs; ; leftMs = endMs - this.clock.monotonicMs()) {
      const losses = this.#losses;
      try {
        return await call({ deadlineMs: leftMs });
      } catch (error) {
        // A metaserver that itself answers UNREACHABLE (its disk fails) would answer it again.
        const isLost = error instanceof ServiceError && error.code === 'UNREACHABLE' && this.#losses !== losses;
        if (!isLost || !mayRepeat() || this.clock.monotonicMs() >= endMs) throw error;
      }
    }
  }
}

/**
 * The same service, where what is lost is asked again if it can be: queries, which change nothing, `allocate`, and a sync
 * for which nothing is at stake. `commit` is left to the writer, who recognises its own versions.
 */
export function repeatLost(metadata: MetadataService, lostCalls: LostCalls): MetadataService {
  return {
    async execute(message, options) {
      const before = lostCalls.answered;
      const losses = lostCalls.losses;
      const result = REPEATABLE.has(message.name)
        ? await lostCalls.repeat((limits) => metadata.execute(message, { ...limits, ...options }))
        : await metadata.execute(message, options);
      if (message.durable) lostCalls.noteDurable(before, losses);
      else if (!REDONE.has(message.name)) lostCalls.answered++;
      return result;
    },
    query: (message, options) => lostCalls.repeat((limits) => metadata.query(message, { ...limits, ...options })),
    async sync(request, options) {
      const before = lostCalls.answered;
      const losses = lostCalls.losses;
      // The process that answers the second time may not know what the first one had answered and not stored.
      await lostCalls.repeat(
        (limits) => metadata.sync(request, { ...limits, ...options }),
        () => !lostCalls.isAtStake,
      );
      lostCalls.noteDurable(before, losses);
      return {};
    },
  };
}
