// Names that go while their file is open, in whichever mount: what is open
// keeps its content until the last close, and everything else goes with its
// last name.
import { FileError } from '../../protocol/errors.js';
import { type FileName, MOST_HELD_NAMED } from '../../protocol/services/files.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import type { CallOptions } from '../../protocol/services/service.js';
import type { BlockMap } from '../metadata/block-map.js';
import type { Sessions } from '../sessions/sessions.js';
import type { GarbageCollector } from '../upkeep/garbage.js';

interface Name {
  parent: number;
  name: FileName;
}

export class Removals {
  #underWay = 0;
  /** Files that are being made, of which nobody knows yet which inode they are. */
  readonly #made = new Set<Name & { done: Promise<unknown> }>();

  readonly #metadata: MetadataService;
  readonly #blockMap: BlockMap;
  readonly #garbage: GarbageCollector;
  readonly #sessions: Sessions;

  constructor(metadata: MetadataService, blockMap: BlockMap, garbage: GarbageCollector, sessions: Sessions) {
    this.#metadata = metadata;
    this.#blockMap = blockMap;
    this.#garbage = garbage;
    this.#sessions = sessions;
  }

  /** A file that is opened now may be going: only the metaserver knows whether it comes too late. */
  get underWay(): boolean {
    return this.#underWay > 0;
  }

  /** Runs `work`, which makes a file and says that it is open. */
  async making<T>({ parent, name }: Name, work: () => Promise<T>): Promise<T> {
    const done = work();
    const one = { parent, name, done };
    this.#made.add(one);
    try {
      return await done;
    } finally {
      this.#made.delete(one);
    }
  }

  /**
   * Runs `work`, which takes the name away from the file that has it; `held` are the files that must live on without.
   * @param lost of what `work` answers, the file that has lost its last name by it
   */
  async run<T>(
    { parent, name, held }: Name & { held: number[] },
    options: CallOptions | undefined,
    work: (held: number[]) => Promise<T>,
    lost: (result: T) => number | undefined,
  ): Promise<T> {
    this.#underWay++;
    try {
      for (const made of this.#made) {
        if (made.parent === parent && made.name === name) await made.done.catch(() => {});
      }
      const all = await this.#held({ parent, name, held }, options);
      // What lives on must not be purged before it is known to be held.
      return await this.#garbage.sparing(all, async () => {
        const result = await work(all);
        const inode = lost(result);
        if (inode !== undefined) this.#lostLast(inode, held, options);
        return result;
      });
    } finally {
      this.#underWay--;
    }
  }

  async #held({ parent, name, held }: Name & { held: number[] }, options: CallOptions | undefined): Promise<number[]> {
    const others = this.#sessions.countElsewhere(options);
    if (others === 0) return held;
    if (others <= MOST_HELD_NAMED) return [...held, ...this.#sessions.openElsewhere(options)];
    const inode = await this.#inodeOf(parent, name);
    const isOpen = inode !== undefined && this.#sessions.isOpenElsewhere(inode, options);
    return isOpen ? [...held, inode] : held;
  }

  /** @param held what the caller has open */
  #lostLast(inode: number, held: readonly number[], options: CallOptions | undefined): void {
    if (held.includes(inode)) this.#sessions.hold(inode, options);
    else if (this.#sessions.isOpenElsewhere(inode, options)) this.#garbage.hold(inode);
    else {
      this.#blockMap.forget(inode);
      this.#garbage.wake();
    }
  }

  async #inodeOf(parent: number, name: FileName): Promise<number | undefined> {
    try {
      return (await this.#metadata.query({ name: 'lookup', request: { parent, name } })).inode;
    } catch (error) {
      if (error instanceof FileError && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }
}
