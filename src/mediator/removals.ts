// Names that go while their file is open, in whichever mount: what is open
// keeps its content until the last close, and everything else goes with its
// last name.
import { FileError } from '../protocol/errors.js';
import type { FileName } from '../protocol/files.js';
import type { MetadataService } from '../protocol/metadata.js';
import type { CallOptions } from '../protocol/service.js';
import type { BlockMap } from './block-map.js';
import type { GarbageCollector } from './garbage.js';
import type { Sessions } from './sessions.js';

/** Up to so many files that other mounts have open, all are named as held; beyond, the one concerned is looked up first. */
const MOST_HELD_NAMED = 64;

export class Removals {
  #underWay = 0;

  constructor(
    private readonly metadata: MetadataService,
    private readonly blockMap: BlockMap,
    private readonly garbage: GarbageCollector,
    private readonly sessions: Sessions,
  ) {}

  /** A file that is opened now may be going: only the metaserver knows whether it comes too late. */
  get underWay(): boolean {
    return this.#underWay > 0;
  }

  /** Runs `work`, which takes the name away from the file that has it; `held` are the files that must live on without. */
  async run<T>(
    { parent, name, held }: { parent: number; name: FileName; held: number[] },
    options: CallOptions | undefined,
    work: (held: number[]) => Promise<T>,
  ): Promise<T> {
    this.#underWay++;
    try {
      const others = this.sessions.countElsewhere(options);
      if (others === 0) return await work(held);
      if (others <= MOST_HELD_NAMED) return await work([...held, ...this.sessions.openElsewhere(options)]);
      const inode = await this.#inodeOf(parent, name);
      const isOpen = inode !== undefined && this.sessions.isOpenElsewhere(inode, options);
      return await work(isOpen ? [...held, inode] : held);
    } finally {
      this.#underWay--;
    }
  }

  /** The last name of the file is gone. @param held what the caller has open */
  lostLast(inode: number, held: readonly number[], options: CallOptions | undefined): void {
    if (held.includes(inode)) this.sessions.hold(inode, options);
    else if (this.sessions.isOpenElsewhere(inode, options)) this.garbage.hold(inode);
    else {
      this.blockMap.forget(inode);
      this.garbage.wake();
    }
  }

  async #inodeOf(parent: number, name: FileName): Promise<number | undefined> {
    try {
      return (await this.metadata.query({ name: 'lookup', request: { parent, name } })).inode;
    } catch (error) {
      if (error instanceof FileError && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }
}
