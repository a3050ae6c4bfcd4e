// Calls to the metaserver that were lost with their connection: asks them
// again, and finds out whether another process answers, which may not know all
// that was answered before. Must never answer a sync for what a crash may have
// taken.
import type { Remote } from '../protocol/client.js';
import { type CommandName, type MetadataService, REPEATABLE_COMMANDS } from '../protocol/metadata.js';
import { RepeatedCalls } from '../protocol/repeated-calls.js';
import type { RequestIds } from '../protocol/request-ids.js';
import type { Clock } from '../runtime/clock.js';

/** A metaserver may take long over a large truncation, and over its own restart. */
export const METADATA_DEADLINE_MS = 30_000;
const REPEATABLE: ReadonlySet<CommandName> = new Set(REPEATABLE_COMMANDS);
/** Whoever sent these finds out by itself when a crash has undone them. */
const REDONE: ReadonlySet<CommandName> = new Set(['collected', 'purge', 'forgetResults']);

export class LostCalls extends RepeatedCalls {
  /** Commands that were answered, and how many of them are known to be on the metaserver's disk. */
  answered = 0;
  durable = 0;
  /** Since the last loss nobody has asked the metaserver who it is. */
  #isUnverified = false;
  /** Commands had been answered and were not known to be durable when the connection was lost. */
  #isAtStake = false;
  #start = '';

  /** @param undone called when commands that were answered may have gone with the process that answered them */
  constructor(
    metaserver: Pick<Remote, 'onStateChange'>,
    deadlineMs: number,
    clock: Clock,
    private readonly undone: () => void,
  ) {
    super(metaserver, deadlineMs, clock);
    metaserver.onStateChange((state) => {
      if (state !== 'down') return;
      this.#isUnverified = true;
      if (this.answered > this.durable) this.#isAtStake = true;
      this.durable = this.answered;
    });
  }

  /** Whether every command that was answered is known to be on the metaserver's disk, or was lost track of. */
  get isAllDurable(): boolean {
    return this.durable === this.answered;
  }

  /** The process that answers after a loss may not know all that was answered before it. */
  get isAtStake(): boolean {
    return this.#isAtStake;
  }

  /** The process that has answered so far. */
  set start(start: string) {
    this.#start = start;
  }

  /** Asks the metaserver after a loss who it is, unless somebody has asked since. */
  async verify(metadata: MetadataService): Promise<void> {
    let start = this.#start;
    for (let losses = -1; this.#isUnverified && losses !== this.losses; ) {
      losses = this.losses;
      ({ start } = await metadata.query({ name: 'statistics', request: {} }));
    }
    // Somebody else may have asked meanwhile.
    if (!this.#isUnverified) return;
    const isUndone = this.#isAtStake && start !== this.#start;
    this.#isUnverified = false;
    this.#isAtStake = false;
    this.#start = start;
    if (isUndone) this.undone();
  }

  /** The first `count` commands are on the disk, unless the process that says so has not seen them. */
  noteDurable(count: number, losses: number): void {
    if (losses === this.losses) this.durable = Math.max(this.durable, count);
  }
}

/**
 * The same service, where what is lost is asked again: queries, which change nothing; commands, each under an id by which
 * the metaserver knows it again (this mediator's own, where whoever asked for it gave none); and a sync for which nothing is
 * at stake.
 */
export function repeatLost(metadata: MetadataService, lostCalls: LostCalls, ids: RequestIds): MetadataService {
  return {
    async execute(message, options) {
      const before = lostCalls.answered;
      const { losses } = lostCalls;
      const send = (known: typeof message) =>
        lostCalls.repeat((limits) => metadata.execute(known, { ...limits, ...options }));
      const needsId = message.id === undefined && !REPEATABLE.has(message.name);
      const result = await (needsId ? ids.run((id) => send({ ...message, id })) : send(message));
      if (message.durable) lostCalls.noteDurable(before, losses);
      else if (!REDONE.has(message.name)) lostCalls.answered++;
      return result;
    },
    query: (message, options) => lostCalls.repeat((limits) => metadata.query(message, { ...limits, ...options })),
    async sync(request, options) {
      const before = lostCalls.answered;
      const { losses } = lostCalls;
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
