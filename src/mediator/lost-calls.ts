// Calls to the metaserver that were lost with their connection: asks them
// again, and finds out whether another process answers, which may not know all
// that was answered before. Must never answer a sync for what a crash may have
// taken.
import type { Remote } from '../protocol/client.js';
import { FileError } from '../protocol/errors.js';
import { type CommandName, type MetadataService, REPEATABLE_COMMANDS } from '../protocol/metadata.js';
import { RepeatedCalls } from '../protocol/repeated-calls.js';
import type { RequestIds } from '../protocol/request-ids.js';
import type { Clock } from '../runtime/clock.js';
import { UnsyncedInodes } from './unsynced-inodes.js';

/** A metaserver may take long over a large truncation, and over its own restart. */
export const METADATA_DEADLINE_MS = 30_000;
const REPEATABLE: ReadonlySet<CommandName> = new Set(REPEATABLE_COMMANDS);
/** Whoever sent these finds out by itself when a crash has undone them. */
const REDONE: ReadonlySet<CommandName> = new Set(['collected', 'purge', 'forgetResults']);

/** Members by which commands and their results name inodes. */
interface Named {
  inode?: number;
  parent?: number;
  newParent?: number;
  attributes?: { inode: number };
  changed?: readonly { inode: number }[];
}

export class LostCalls extends RepeatedCalls {
  /**
   * Commands that were answered, or whose outcome is not known; and how many of them, the first ones, are on the metaserver's
   * disk or gone with a process that is no more. What an earlier mediator was answered counts as one.
   */
  answered = 1;
  durable = 0;
  /** Calls made through `repeatLost`. */
  calls = 0;
  readonly unsynced = new UnsyncedInodes();
  /** Commands under way: what they change may be seen already. */
  underWay = 0;
  /** Since the last loss nobody has asked the metaserver who it is. */
  #isUnverified = false;
  /** How many had been answered at the first loss since somebody asked. */
  #answeredAtLoss = 0;
  /** Commands had been answered and were not known to be durable when the connection was lost. */
  #isAtStake = false;
  #start = '';

  /**
   * @param undone called when commands that were answered may have gone with the process that answered them: with the inodes
   * that these had changed, as far as they are known
   * @param unclear called when it can't be told whether a command was carried out
   */
  constructor(
    metaserver: Pick<Remote, 'onStateChange'>,
    deadlineMs: number,
    clock: Clock,
    private readonly undone: (inodes: ReadonlySet<number>) => void,
    private readonly unclear: () => void,
  ) {
    super(metaserver, deadlineMs, clock);
    metaserver.onStateChange((state) => {
      if (state !== 'down') return;
      if (!this.#isUnverified) this.#answeredAtLoss = this.answered;
      this.#isUnverified = true;
      if (this.answered > this.durable) this.#isAtStake = true;
      this.unsynced.lose(this.durable);
    });
  }

  /** Whether nothing that anybody may have seen waits for the metaserver's disk. */
  get isAllDurable(): boolean {
    return this.durable === this.answered && this.underWay === 0;
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
    const isAnother = start !== this.#start;
    const isUndone = this.#isAtStake && isAnother;
    if (isAnother) this.durable = Math.max(this.durable, this.#answeredAtLoss);
    this.#isUnverified = false;
    this.#isAtStake = false;
    this.#start = start;
    this.unsynced.forgetUpTo(this.durable, this.answered);
    const inodes = this.unsynced.takeLost();
    if (isUndone) this.undone(inodes);
  }

  /** A command that nobody wanted durable was answered. */
  noteAnswered(inodes: readonly number[]): void {
    this.answered++;
    this.unsynced.changed(inodes, this.answered);
  }

  /** The outcome of a command is not known: it may be seen, now or later. */
  noteUnclear(inodes: readonly number[]): void {
    this.noteAnswered(inodes);
    this.unclear();
  }

  /** The first `count` commands are on the disk, unless the process that says so has not seen them. */
  noteDurable(count: number, losses: number): void {
    if (losses !== this.losses) return;
    this.durable = Math.max(this.durable, count);
    this.unsynced.forgetUpTo(this.durable, this.answered);
  }
}

/**
 * The same service, where what is lost is asked again: queries, which change nothing; commands, each under an id by which
 * the metaserver knows it again (this mediator's own, where whoever asked for it gave none); and a sync for which nothing is
 * at stake.
 */
export function repeatLost(metadata: MetadataService, lostCalls: LostCalls, ids: RequestIds): MetadataService {
  return {
    async execute(asked, options) {
      lostCalls.calls++;
      const message = asked.durable || !lostCalls.unsynced.isCrowded ? asked : { ...asked, durable: true };
      const before = lostCalls.answered;
      const { losses } = lostCalls;
      const send = (known: typeof message) =>
        lostCalls.repeat((limits) => metadata.execute(known, { ...limits, ...options }));
      const needsId = message.id === undefined && !REPEATABLE.has(message.name);
      const counts = !REDONE.has(message.name);
      lostCalls.underWay++;
      try {
        const result = await (needsId ? ids.run((id) => send({ ...message, id })) : send(message));
        if (message.durable) lostCalls.noteDurable(before, losses);
        else if (counts) lostCalls.noteAnswered(inodesOf(message.request, result));
        return result;
      } catch (error) {
        // What the metaserver refuses changes nothing.
        if (counts && !(error instanceof FileError)) lostCalls.noteUnclear(inodesOf(message.request));
        throw error;
      } finally {
        lostCalls.underWay--;
      }
    },
    query(message, options) {
      lostCalls.calls++;
      return lostCalls.repeat((limits) => metadata.query(message, { ...limits, ...options }));
    },
    async sync(request, options) {
      lostCalls.calls++;
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

/** What a command's request and result name of what it has changed: a file, its folder, whatever else was touched. */
function inodesOf(request: object, result: object = {}): number[] {
  const { inode, parent, newParent } = request as Named;
  const answer = result as Named;
  const inodes: number[] = [];
  for (const each of [inode, parent, newParent, answer.inode, answer.attributes?.inode]) {
    if (each !== undefined) inodes.push(each);
  }
  if (answer.changed !== undefined) for (const { inode: changed } of answer.changed) inodes.push(changed);
  return inodes;
}
