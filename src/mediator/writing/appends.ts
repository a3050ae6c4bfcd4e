// O_APPEND by several mounts: where appended bytes go is decided here, when
// they are stored, since a mount can't know what others are appending. Each
// takes its place behind all that came before it; then they are stored side by
// side, and committed in their order: whatever fails, and whenever this process
// ends, no append is in the file without those before it, which would leave a
// hole for ever. A cut has its turn among them, and the file for itself.
import type { Extent } from '../../protocol/services/blocks.js';
import type { Attributes } from '../../protocol/services/files.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import type { BlockMap } from '../metadata/block-map.js';
import type { FileWrite, Writer } from './writer.js';

/** Of a file that is being appended to or cut. */
interface Tail {
  users: number;
  /** Where the last append ends that has its place. */
  endBytes: number;
  /** Gives appends their places, one after the other; a cut has its turn among them. */
  turns: SerialQueue;
  /** Appends that have their places and are not stored yet. */
  placed: Set<Promise<unknown>>;
  /** The last append that was given a place. */
  last: Promise<unknown>;
  /** One of them failed: whoever has a place behind it needs another. */
  isBroken: boolean;
}

/** The append before failed, and nothing is where this one was to begin. */
class Misplaced extends Error {}

export class Appends {
  readonly #tails = new Map<number, Tail>();

  readonly #blockMap: BlockMap;
  readonly #writer: Writer;

  constructor(blockMap: BlockMap, writer: Writer) {
    this.#blockMap = blockMap;
    this.#writer = writer;
  }

  /** See FileService.write. */
  write(write: FileWrite, appendedFrom: number | undefined): Promise<Attributes> {
    if (write.truncateTo !== null) return this.#during(write.inode, (tail) => this.#cut(write, tail));
    if (appendedFrom === undefined) return this.#writer.write(write);
    return this.#during(write.inode, (tail) => this.#append(write, appendedFrom, tail));
  }

  async #append(write: FileWrite, appendedFrom: number, tail: Tail): Promise<Attributes> {
    for (let isRepetition = write.again === true; ; isRepetition = true) {
      try {
        // Within an object, since the next has its turn before this is stored.
        const { result } = await tail.turns.run(() => this.#place(write, appendedFrom, tail, isRepetition));
        return await result;
      } catch (error) {
        if (!(error instanceof Misplaced)) throw error;
      }
    }
  }

  /** Resolves when the next may be given its place. */
  async #place(
    write: FileWrite,
    appendedFrom: number,
    tail: Tail,
    isRepetition: boolean,
  ): Promise<{ result: Promise<Attributes> }> {
    const { isBroken } = tail;
    // An earlier attempt may be among them.
    if (isRepetition || isBroken) await this.#settled(tail);
    // Those that must have another place are in the turn by now, and came first.
    if (isBroken && !isRepetition) throw new Misplaced('an append before it failed');
    const { attributes } = await this.#blockMap.load(write.inode, 0, 1);
    const stay = write.extents.filter(({ offset }) => offset < appendedFrom);
    const end = Math.max(attributes.sizeBytes, tail.endBytes, endOf(stay));
    const appended = write.extents
      .filter(({ offset }) => offset >= appendedFrom)
      .map(({ offset, data }) => ({ offset: offset - appendedFrom + end, data }));
    const { last } = tail;
    let claimed = () => {};
    const isClaimed = new Promise<void>((resolve) => {
      claimed = resolve;
    });
    const before = () =>
      last.catch(() => {
        throw new Misplaced('the append before it failed');
      });
    const result = this.#writer.write({ ...write, extents: [...stay, ...appended] }, { claimed, before });
    tail.endBytes = Math.max(end, endOf(appended));
    tail.placed.add(result);
    tail.last = result;
    result.then(
      () => tail.placed.delete(result),
      () => {
        tail.placed.delete(result);
        tail.isBroken = true;
      },
    );
    // Blocks that it shares with the next must be its own first, since the next waits for it.
    await Promise.race([isClaimed, result.catch(() => {})]);
    // Where it was carried out before, it does not need this place, and nobody may come behind it.
    if (write.again === true) await this.#settled(tail);
    return { result };
  }

  #cut(write: FileWrite, tail: Tail): Promise<Attributes> {
    return tail.turns.run(async () => {
      await this.#settled(tail);
      return this.#writer.write(write);
    });
  }

  /** Then the file ends where its attributes say. */
  async #settled(tail: Tail): Promise<void> {
    await Promise.allSettled(tail.placed);
    tail.endBytes = 0;
    tail.last = Promise.resolve();
    tail.isBroken = false;
  }

  /** What is known of the tail outlasts every append that began before it was forgotten: attributes may come late. */
  async #during(inode: number, work: (tail: Tail) => Promise<Attributes>): Promise<Attributes> {
    const tail = this.#tails.get(inode) ?? newTail();
    this.#tails.set(inode, tail);
    tail.users++;
    try {
      return await work(tail);
    } finally {
      tail.users--;
      if (tail.users === 0) this.#tails.delete(inode);
    }
  }
}

function newTail(): Tail {
  const nothing = Promise.resolve();
  return { users: 0, endBytes: 0, turns: new SerialQueue(), placed: new Set(), last: nothing, isBroken: false };
}

function endOf(extents: readonly Extent[]): number {
  return extents.reduce((end, { offset, data }) => Math.max(end, offset + data.length), 0);
}
