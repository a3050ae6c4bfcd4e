// O_APPEND by several mounts: where appended bytes go is decided here, when
// they are stored, since a mount can't know what others are appending. Each
// takes its place behind all that came before it, and then they are written
// side by side. A cut has its turn among them, and the file for itself.
import type { Extent } from '../protocol/blocks.js';
import type { Attributes } from '../protocol/files.js';
import type { BlockMap } from './block-map.js';
import type { FileWrite, Writer } from './writer.js';

/** Of a file that is being appended to or cut. */
interface Tail {
  users: number;
  /** Where the last append ends that has its place. */
  endBytes: number;
  /** Settles when all that came so far have had their turn. */
  turn: Promise<unknown>;
  /** Appends that have their places and are not stored yet. */
  placed: Set<Promise<unknown>>;
}

export class Appends {
  readonly #tails = new Map<number, Tail>();

  constructor(
    private readonly blockMap: BlockMap,
    private readonly writer: Writer,
  ) {}

  /** See FileService.write. */
  write(write: FileWrite, appendedFrom: number | undefined): Promise<Attributes> {
    if (write.truncateTo !== null) return this.#during(write.inode, (tail) => this.#cut(write, tail));
    if (appendedFrom === undefined) return this.writer.write(write);
    return this.#during(write.inode, (tail) => this.#append(write, appendedFrom, tail));
  }

  async #append(write: FileWrite, appendedFrom: number, tail: Tail): Promise<Attributes> {
    const { stored } = await inTurn(tail, async () => {
      const { attributes } = await this.blockMap.load(write.inode, 0, 1);
      const stay = write.extents.filter(({ offset }) => offset < appendedFrom);
      const end = Math.max(attributes.sizeBytes, tail.endBytes, endOf(stay));
      const appended = write.extents
        .filter(({ offset }) => offset >= appendedFrom)
        .map(({ offset, data }) => ({ offset: offset - appendedFrom + end, data }));
      const work = this.writer.write({ ...write, extents: [...stay, ...appended] });
      tail.endBytes = Math.max(end, endOf(appended));
      tail.placed.add(work);
      // Where it was carried out before, it does not need this place, and nobody may come behind it.
      if (write.again === true) await this.#settled(tail);
      // Within an object, since the next has its turn before this is stored.
      return { stored: work.finally(() => tail.placed.delete(work)) };
    });
    return stored;
  }

  #cut(write: FileWrite, tail: Tail): Promise<Attributes> {
    return inTurn(tail, async () => {
      await this.#settled(tail);
      return this.writer.write(write);
    });
  }

  /** Then the file ends where its attributes say. */
  async #settled(tail: Tail): Promise<void> {
    await Promise.allSettled(tail.placed);
    tail.endBytes = 0;
  }

  /** What is known of the tail outlasts every append that began before it was forgotten: attributes may come late. */
  async #during(inode: number, work: (tail: Tail) => Promise<Attributes>): Promise<Attributes> {
    const tail = this.#tails.get(inode) ?? { users: 0, endBytes: 0, turn: Promise.resolve(), placed: new Set() };
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

function inTurn<T>(tail: Tail, work: () => Promise<T>): Promise<T> {
  const done = tail.turn.then(work);
  tail.turn = done.catch(() => {});
  return done;
}

function endOf(extents: readonly Extent[]): number {
  return extents.reduce((end, { offset, data }) => Math.max(end, offset + data.length), 0);
}
