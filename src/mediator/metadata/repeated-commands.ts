// Commands that were answered and are carried out again, by the process that
// answers now: those that a crash may have taken, and those that nobody has
// confirmed. It counts how often some were lost for good.
import { ServiceError, wasCarriedOut, wasUnanswered } from '../../protocol/errors.js';
import type { MetaserverService, Outcomes } from '../../protocol/services/metadata.js';
import { messageOf } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Counters } from '../counters.js';
import { type Answered, MOST_AT_ONCE } from './answered-stream.js';
import { inodeMadeBy, type Message, type UnsyncedCommands } from './unsynced-commands.js';

export interface RepeatedCommandsParts {
  unsynced: UnsyncedCommands;
  metadata: MetaserverService;
  deadlineMs: number;
  counters: Counters;
  runtime: Runtime;
  /** A message was given up: numbers of its slot will be missing for ever. */
  slotGivenUp(): void;
  /** Commands whose effects somebody may have seen, and which no crash has taken, will not be carried out. */
  lost(): void;
}

export class RepeatedCommands {
  #timesLost = 0;
  readonly #parts: RepeatedCommandsParts;

  constructor(parts: RepeatedCommandsParts) {
    this.#parts = parts;
  }

  /** How often answered commands were lost for good. */
  get timesLost(): number {
    return this.#timesLost;
  }

  /**
   * Carries out, in order, what a crash may have taken; a command that survived it is known by its id. Rejects when the metaserver
   * can't be asked: nothing is decided then.
   */
  async repeatAfterCrash(): Promise<void> {
    const { unsynced, counters, runtime } = this.#parts;
    const { done, lost } = await unsynced.replay((message, inode) => this.#execute(message, inode));
    runtime.log.info('metadata.repeated', { commands: done });
    counters.add('repeatedCommands', done);
    if (lost > 0) this.#note(lost);
  }

  /** Carries out, in order, what was not confirmed. Rejects when the metaserver can't be asked. */
  async sendAgain(commands: readonly Answered[]): Promise<void> {
    const { metadata, deadlineMs, slotGivenUp } = this.#parts;
    for (let at = 0; at < commands.length; at += MOST_AT_ONCE) {
      const some = commands.slice(at, at + MOST_AT_ONCE);
      const request = { commands: some.map(({ command }) => command) };
      const outcomes = await metadata.executeAll(request, { deadlineMs }).catch((error: unknown) => {
        if (error instanceof ServiceError && wasUnanswered(error)) throw error;
        rethrowProgramFault(error);
        // It takes none of them, and would not later.
        slotGivenUp();
        return { refused: some.map((_, place) => ({ place, reason: messageOf(error) })) };
      });
      this.noteRefused(outcomes, some);
    }
  }

  /** Commands were carried out, but for those that are named. */
  noteRefused({ refused }: Pick<Outcomes, 'refused'>, commands: readonly Answered[]): void {
    const { runtime, lost } = this.#parts;
    for (const { place, reason } of refused) {
      runtime.log.error('metadata.not_carried_out', { command: commands[place]?.command.name, reason });
    }
    if (refused.length === 0) return;
    this.#note(refused.length);
    lost();
  }

  /** Whether the command has been carried out, now or before, and made the given inode. */
  async #execute(message: Message, inode: number): Promise<boolean> {
    const { metadata, deadlineMs, runtime } = this.#parts;
    const { name } = message;
    let reason: string;
    try {
      const result = await metadata.execute({ ...message, durable: false, again: true }, { deadlineMs });
      if (inodeMadeBy(name, result) === inode) return true;
      reason = 'the name stands for something else';
    } catch (error) {
      if (error instanceof ServiceError && wasUnanswered(error)) throw error;
      if (wasCarriedOut(error)) return true;
      rethrowProgramFault(error);
      reason = messageOf(error);
    }
    runtime.log.warn('metadata.not_repeated', { command: name, reason });
    return false;
  }

  #note(commands: number): void {
    const { counters, runtime } = this.#parts;
    this.#timesLost++;
    runtime.log.error('metadata.undone', { commands });
    counters.add('undoneCommands', commands);
  }
}
