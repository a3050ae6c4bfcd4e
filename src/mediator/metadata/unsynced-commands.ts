// Commands that were answered and may not be on the metaserver's disk yet. A
// crash of the metaserver loses some of the last ones; they are then carried out
// again from here, in their order.
import type { CommandName, Commands, MetadataService } from '../../protocol/services/metadata.js';
import { assert } from '../../runtime/assert.js';

export type Message = Parameters<MetadataService['execute']>[0];

/** With more, the next command waits for a sync: some megabytes, and fewer rows than a metaserver takes without its disk. */
const CROWD_COMMANDS = 4096;
const CROWD_BYTES = 16 * 1024 * 1024;
/** Memory of a command apart from what is long in its request. */
const COMMAND_BYTES = 500;

interface Unsynced {
  message: Message;
  /** The inode that it made; 0: none. */
  inode: number;
  /** Its number among all commands. The metaserver carries them out in this order. */
  place: number;
  /** Its number among all answers. */
  answer: number;
  bytes: number;
}

export class UnsyncedCommands {
  /** By `place`. */
  #commands: Unsynced[] = [];
  #bytes = 0;
  /**
   * `place` of the oldest command with an unknown outcome: later commands may depend on it. `answer` of the latest one: once that
   * many are durable, or gone for good, no outcome is unknown any more.
   */
  #unknown: { place: number; answer: number } | null = null;
  /** Commands that were answered or have an unknown outcome. All that were answered to an earlier mediator count as one. */
  #answered = 1;
  /** How many of them, from the first on, are on the disk or gone for good. */
  #durable = 0;

  get answered(): number {
    return this.#answered;
  }

  get size(): number {
    return this.#commands.length;
  }

  get isEmpty(): boolean {
    return this.#durable === this.#answered;
  }

  get isCrowded(): boolean {
    return this.#commands.length > CROWD_COMMANDS || this.#bytes > CROWD_BYTES;
  }

  /** A command that was not asked to be durable was answered. */
  add(message: Message, result: Commands[CommandName]['result'], place: number): void {
    const { name, request } = message;
    const bytes = COMMAND_BYTES + bytesIn(request as LongRequest);
    const command = { message, inode: inodeMadeBy(name, result), place, answer: ++this.#answered, bytes };
    this.#bytes += bytes;
    let at = this.#commands.length;
    // Answers that arrive together are seen in any order.
    while (at > 0 && (this.#commands[at - 1]?.place ?? 0) > place) at--;
    assert(this.#commands[at - 1]?.place !== place, 'no two calls to the metaserver have the same number');
    if (at === this.#commands.length) this.#commands.push(command);
    else this.#commands.splice(at, 0, command);
  }

  /** The outcome of a command is not known. No later command depends on a commit: it only has to wait for the disk. */
  addUnknown(name: CommandName, place: number): void {
    this.#answered++;
    if (name === 'commit') return;
    this.#unknown = { place: Math.min(place, this.#unknown?.place ?? place), answer: this.#answered };
  }

  /** The first `answers` commands are on the disk. */
  markDurable(answers: number): void {
    assert(answers <= this.#answered, 'only commands that were answered are marked as durable');
    if (answers <= this.#durable) return;
    this.#durable = answers;
    this.#keep(this.#commands.filter(({ answer }) => answer > answers));
    if (this.#unknown !== null && this.#unknown.answer <= answers) this.#unknown = null;
  }

  /**
   * Carries all commands out again, in order. It stops at the first that can't be, since later ones may depend on it.
   * @param execute answers whether the command has been carried out, now or before, and made the given inode (0: none); rejects
   * when nobody knows, and then nothing is decided
   * @returns how many were carried out, and how many are lost: all unknown outcomes together count as one, and so does all that
   * an earlier mediator was answered
   */
  async replay(
    execute: (message: Message, inode: number) => Promise<boolean>,
  ): Promise<{ done: number; lost: number }> {
    // Before the first sync, the crash may have taken commands of an earlier mediator, which all of these may depend on.
    const hasSynced = this.#durable > 0;
    let done = 0;
    for (; hasSynced && done < this.#commands.length; done++) {
      const command = this.#commands[done];
      if (command === undefined || command.place > (this.#unknown?.place ?? command.place)) break;
      const { message, inode } = command;
      if (!(await execute(inode === 0 ? message : withInode(message, inode), inode))) break;
    }
    const lost = this.#commands.length - done + (hasSynced ? 0 : 1) + (this.#unknown === null ? 0 : 1);
    this.#unknown = null;
    this.#keep(this.#commands.slice(0, done));
    if (!hasSynced) this.#durable = this.#answered;
    return { done, lost };
  }

  #keep(commands: Unsynced[]): void {
    this.#commands = commands;
    this.#bytes = commands.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

/** The inode that the command has made; 0: none. */
export function inodeMadeBy(name: CommandName, result: Commands[CommandName]['result']): number {
  if (name === 'rename') return (result as Commands['rename']['result']).whiteout ?? 0;
  if (name !== 'make' && name !== 'makeUnnamed') return 0;
  return (result as Commands['makeUnnamed']['result']).attributes.inode;
}

/** Callers know the file by its inode number: it must get the same one again. */
function withInode(message: Message, inode: number): Message {
  return { ...message, request: { ...message.request, inode } } as Message;
}

/** What may be long in a request. */
interface LongRequest {
  value?: Uint8Array;
  target?: string;
  held?: readonly number[];
}

function bytesIn({ value, target, held }: LongRequest): number {
  return (value?.length ?? 0) + (target?.length ?? 0) + 8 * (held?.length ?? 0);
}
