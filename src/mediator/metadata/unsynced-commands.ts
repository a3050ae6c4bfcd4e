// Commands that were answered and may not be on the metaserver's disk yet, in
// their order: a crash of the metaserver loses a tail of them, which is carried
// out again then.
import type { CommandName, Commands, MetadataService } from '../../protocol/services/metadata.js';

export type Message = Parameters<MetadataService['execute']>[0];

/** Beyond this, the next command waits until they are stored: some megabytes, and fewer rows than a metaserver takes without its disk. */
const CROWD_COMMANDS = 4096;
const CROWD_BYTES = 16 * 1024 * 1024;
/** Of a command in memory, without what its request brings. */
const COMMAND_BYTES = 500;

interface Unsynced {
  message: Message;
  /** The number of what it made; 0: it made nothing. */
  made: number;
  /** Its place among all that were sent, which is their order on the metaserver. */
  place: number;
  /** How many had been answered with it. */
  count: number;
  bytes: number;
}

export class UnsyncedCommands {
  /** By place. */
  #commands: Unsynced[] = [];
  #bytes = 0;
  /** The first command, and how many had been answered with the last, whose outcome is not known: it may be seen. */
  #unclear: { place: number; count: number } | null = null;
  /** Commands that were answered, or whose outcome is not known. What an earlier mediator was answered counts as one. */
  #answered = 1;
  /** How many of them, the first ones, are on the disk or gone for good. */
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

  /** A command that nobody wanted durable was answered. */
  add(message: Message, result: Commands[CommandName]['result'], place: number): void {
    const { name, request } = message;
    const bytes = COMMAND_BYTES + bytesIn(request as LongRequest);
    const command = { message, made: madeBy(name, result), place, count: ++this.#answered, bytes };
    this.#bytes += bytes;
    let at = this.#commands.length;
    // Of several answers that arrive together, any may be seen first.
    while (at > 0 && (this.#commands[at - 1]?.place ?? 0) > place) at--;
    if (at === this.#commands.length) this.#commands.push(command);
    else this.#commands.splice(at, 0, command);
  }

  /** The outcome of a command is not known. What can't have been built upon, a write, only waits for the disk. */
  addUnclear(name: CommandName, place: number): void {
    this.#answered++;
    if (name === 'commit') return;
    this.#unclear = { place: Math.min(place, this.#unclear?.place ?? place), count: this.#answered };
  }

  /** The first `count` of those that were answered are on the disk. */
  durable(count: number): void {
    if (count <= this.#durable) return;
    this.#durable = count;
    this.#keep(this.#commands.filter((command) => command.count > count));
    if (this.#unclear !== null && this.#unclear.count <= count) this.#unclear = null;
  }

  /**
   * Carries all of them out again, in order, until one can't be: what follows may have been built upon it.
   * @param execute answers whether the command is carried out, and what it has `made` (0: nothing) has that number; rejects
   * when nobody knows, and then nothing is decided yet
   * @returns how many were, and how many are lost; one whose outcome is not known counts, and what an earlier mediator was
   * answered counts as one
   */
  async again(execute: (message: Message, made: number) => Promise<boolean>): Promise<{ done: number; lost: number }> {
    const isAllKnown = this.#durable > 0;
    let done = 0;
    for (; isAllKnown && done < this.#commands.length; done++) {
      const command = this.#commands[done];
      if (command === undefined || command.place > (this.#unclear?.place ?? command.place)) break;
      const { message, made } = command;
      if (!(await execute(made === 0 ? message : withInode(message, made), made))) break;
    }
    const lost = this.#commands.length - done + (isAllKnown ? 0 : 1) + (this.#unclear === null ? 0 : 1);
    this.#unclear = null;
    this.#keep(this.#commands.slice(0, done));
    // None of it is left.
    if (!isAllKnown) this.#durable = this.#answered;
    return { done, lost };
  }

  #keep(commands: Unsynced[]): void {
    this.#commands = commands;
    this.#bytes = commands.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

/** The number of what the command has made, 0 for nothing. */
export function madeBy(name: CommandName, result: Commands[CommandName]['result']): number {
  if (name === 'rename') return (result as Commands['rename']['result']).whiteout ?? 0;
  if (name !== 'make' && name !== 'makeUnnamed') return 0;
  return (result as Commands['makeUnnamed']['result']).attributes.inode;
}

/** What was made is known by its number. */
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
