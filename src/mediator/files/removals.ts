// Removals of names (unlink, rename over a name) while a mount may have the file
// open: an open file keeps its content until its last close, any other goes with
// its last name.
import { FileError } from '../../protocol/errors.js';
import { type FileName, MOST_HELD_NAMED } from '../../protocol/services/files.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import type { CallOptions } from '../../protocol/services/service.js';
import type { BlockMap } from '../metadata/block-map.js';
import type { HeldFiles } from '../sessions/held-files.js';
import type { Sessions } from '../sessions/sessions.js';
import type { GarbageCollector } from '../upkeep/garbage.js';
import type { Orphans } from '../upkeep/orphans.js';

interface Name {
  parent: number;
  name: FileName;
}

interface Dependencies {
  metadata: MetadataService;
  blockMap: BlockMap;
  held: HeldFiles;
  sessions: Sessions;
  garbage: GarbageCollector;
  orphans: Pick<Orphans, 'graceLeftMs' | 'isPurging'>;
  /** What a name stands for; null: nothing; undefined: only the metaserver knows. */
  inodeKnown(parent: number, name: FileName): number | null | undefined;
}

export class Removals {
  #underWay = 0;
  /** Files that are being made: their inodes, and that they are open, are not known yet. */
  readonly #made = new Set<Name & { done: Promise<unknown> }>();

  readonly #metadata: MetadataService;
  readonly #blockMap: BlockMap;
  readonly #held: HeldFiles;
  readonly #sessions: Sessions;
  readonly #garbage: GarbageCollector;
  readonly #orphans: Pick<Orphans, 'graceLeftMs' | 'isPurging'>;
  readonly #inodeKnown: Dependencies['inodeKnown'];

  constructor({ metadata, blockMap, held, sessions, garbage, orphans, inodeKnown }: Dependencies) {
    this.#inodeKnown = inodeKnown;
    this.#metadata = metadata;
    this.#blockMap = blockMap;
    this.#held = held;
    this.#sessions = sessions;
    this.#garbage = garbage;
    this.#orphans = orphans;
  }

  /** While a removal is under way, only the metaserver knows whether a file that is opened is still there. */
  get underWay(): boolean {
    return this.#underWay > 0;
  }

  /** Runs `work`, which makes a file and notes that it is open. A removal of its name waits for it. */
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
   * Runs `work`, which removes the name. @param held open files of the caller; `work` gets them with those of other mounts added
   * @param lost says, of the answer of `work`, which file has lost its last name, if any
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
      const all = await this.#heldUnder({ parent, name, held }, options);
      // A file that loses its last name must not be purged before it is known to be held.
      return await this.#held.sparing(all, async () => {
        const result = await work(all);
        const inode = lost(result);
        if (inode !== undefined) this.#lostLast(inode, held, options);
        return result;
      });
    } finally {
      this.#underWay--;
    }
  }

  /** A file without a name, which is there until it is known who holds it, is opened: it must stay now. */
  openedNameless(inode: number, options: CallOptions | undefined): void {
    if (this.#orphans.isPurging(inode)) throw new FileError('ENOENT', `inode ${inode} is being removed`);
    this.#sessions.hold(inode, options);
  }

  /** The files that must live on if they lose their last name with this one. */
  async #heldUnder(
    { parent, name, held }: Name & { held: number[] },
    options: CallOptions | undefined,
  ): Promise<number[]> {
    const others = this.#sessions.countElsewhere(options);
    // A mount that had it open before this mediator was started may not have said so yet. It is purged later, unless one does.
    const mayBeHeld = this.#orphans.graceLeftMs > 0;
    if (others === 0 && !mayBeHeld) return held;
    if (others <= MOST_HELD_NAMED && !mayBeHeld) return [...held, ...this.#sessions.openElsewhere(options)];
    const inode = await this.#inodeOf(parent, name);
    const isOpen = inode !== undefined && (mayBeHeld || this.#sessions.isOpenElsewhere(inode, options));
    return isOpen ? [...held, inode] : held;
  }

  /** The file has lost its last name. @param held open files of the caller */
  #lostLast(inode: number, held: readonly number[], options: CallOptions | undefined): void {
    if (held.includes(inode)) this.#sessions.hold(inode, options);
    else if (this.#sessions.isOpenElsewhere(inode, options)) this.#held.hold(inode);
    else {
      this.#blockMap.forget(inode);
      this.#garbage.wake();
    }
  }

  async #inodeOf(parent: number, name: FileName): Promise<number | undefined> {
    const known = this.#inodeKnown(parent, name);
    if (known !== undefined) return known ?? undefined;
    try {
      return (await this.#metadata.query({ name: 'lookup', request: { parent, name } })).inode;
    } catch (error) {
      if (error instanceof FileError && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }
}
