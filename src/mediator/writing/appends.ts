// O_APPEND by several mounts: the mediator decides at which offset appended
// bytes are written, since a mount can't know what others are appending. Each
// append gets the offset behind all earlier ones. Appends are stored side by
// side and committed in order, so that a failure or a crash never leaves an
// append in the file without those before it, which would leave a hole. A
// truncation waits for earlier appends, and later ones wait for it.
import { endOf } from '../../protocol/services/blocks.js';
import type { Attributes } from '../../protocol/services/files.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import type { BlockMap } from '../metadata/block-map.js';
import type { FileWrite } from './file-write.js';
import type { FileWriter } from './file-writer.js';

/** The end of a file that is being appended to or truncated. */
interface Tail {
  /** Appends and truncations that use this object. */
  users: number;
  /** Where the last append ends that has an offset. */
  endBytes: number;
  /** Gives appends their offsets, and runs truncations, one after the other. */
  queue: SerialQueue;
  /** Appends that have offsets and are not committed yet. */
  placed: Set<Promise<unknown>>;
  /** The last append that was given an offset. */
  last: Promise<unknown>;
  /** One of them failed: those with offsets behind it need new ones. */
  isBroken: boolean;
}

/** An earlier append failed, so the file does not reach to this one's offset. */
class Misplaced extends Error {}

export class Appends {
  readonly #tails = new Map<number, Tail>();

  readonly #blockMap: BlockMap;
  readonly #writer: FileWriter;

  constructor(blockMap: BlockMap, writer: FileWriter) {
    this.#blockMap = blockMap;
    this.#writer = writer;
  }

  /** See FileService.write. */
  write(write: FileWrite, appendedFrom: number | undefined): Promise<Attributes> {
    if (write.truncateTo !== null) return this.#withTail(write.inode, (tail) => this.#truncate(write, tail));
    if (appendedFrom === undefined) return this.#writer.write(write);
    return this.#withTail(write.inode, (tail) => this.#append(write, appendedFrom, tail));
  }

  async #append(write: FileWrite, appendedFrom: number, tail: Tail): Promise<Attributes> {
    for (let isRepetition = write.again === true; ; isRepetition = true) {
      try {
        // `result` is wrapped in an object: the queue would wait for a bare promise, and the next append need not.
        const { result } = await tail.queue.run(() => this.#place(write, appendedFrom, tail, isRepetition));
        return await result;
      } catch (error) {
        if (!(error instanceof Misplaced)) throw error;
      }
    }
  }

  /** Gives the append its offset and starts it. Resolves when the next may be given its offset. */
  async #place(
    write: FileWrite,
    appendedFrom: number,
    tail: Tail,
    isRepetition: boolean,
  ): Promise<{ result: Promise<Attributes> }> {
    const { isBroken } = tail;
    // An earlier attempt at this write may be among those under way.
    if (isRepetition || isBroken) await this.#settled(tail);
    // Appends that were misplaced came first, and are queued again by now: this one goes behind them.
    if (isBroken && !isRepetition) throw new Misplaced('an append before it failed');
    const { attributes } = await this.#blockMap.load(write.inode, 0, 1);
    const stay = write.extents.filter(({ offset }) => offset < appendedFrom);
    const end = Math.max(attributes.sizeBytes, tail.endBytes, endOf(stay));
    const appended = write.extents
      .filter(({ offset }) => offset >= appendedFrom)
      .map(({ offset, data }) => ({ offset: offset - appendedFrom + end, data }));
    const { last } = tail;
    let queued = () => {};
    const isQueued = new Promise<void>((resolve) => {
      queued = resolve;
    });
    const beforeCommit = () =>
      last.catch(() => {
        throw new Misplaced('the append before it failed');
      });
    const result = this.#writer.write({ ...write, extents: [...stay, ...appended] }, { queued, beforeCommit });
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
    // The next append waits for this one, so it must come behind it in the range locks too: they may share a block.
    await Promise.race([isQueued, result.catch(() => {})]);
    // If an earlier attempt was carried out, this offset stays unused, and no append may get one behind it.
    if (write.again === true) await this.#settled(tail);
    return { result };
  }

  #truncate(write: FileWrite, tail: Tail): Promise<Attributes> {
    return tail.queue.run(async () => {
      await this.#settled(tail);
      return this.#writer.write(write);
    });
  }

  /** Waits until all appends that have offsets are done; then the file ends where its attributes say. */
  async #settled(tail: Tail): Promise<void> {
    await Promise.allSettled(tail.placed);
    tail.endBytes = 0;
    tail.last = Promise.resolve();
    tail.isBroken = false;
  }

  /**
   * The tail is kept until its last user is done, so that `endBytes` counts even if the attributes are loaded before an append is
   * committed.
   */
  async #withTail(inode: number, work: (tail: Tail) => Promise<Attributes>): Promise<Attributes> {
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
  return { users: 0, endBytes: 0, queue: new SerialQueue(), placed: new Set(), last: nothing, isBroken: false };
}
