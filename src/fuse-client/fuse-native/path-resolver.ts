// libfuse 2 names files by their paths. This finds their inodes, by one lookup for
// each component that was not looked up within the attribute timeout.
import { FileError } from '../../protocol/errors.js';
import { type FileName, ROOT_INODE } from '../../protocol/services/files.js';
import type { Clock } from '../../runtime/clock.js';
import type { Operations } from '../operations/operations.js';

const MOST_KEPT = 10_000;

export class PathResolver {
  readonly #kept = new Map<string, { inode: number; untilMs: number }>();

  readonly #operations: Operations;
  readonly #clock: Clock;
  readonly #keptMs: number;

  constructor(operations: Operations, clock: Clock, keptMs: number) {
    this.#operations = operations;
    this.#clock = clock;
    this.#keptMs = keptMs;
  }

  /** `path` has one character per byte and starts with '/'. Fails as a lookup does. */
  async inode(path: string): Promise<number> {
    const names = path.split('/').filter((name) => name !== '');
    let inode = ROOT_INODE;
    let prefix = '';
    for (const name of names) {
      prefix += `/${name}`;
      inode = await this.#child(inode, name, prefix);
    }
    return inode;
  }

  /** The directory that holds the last component, and that component. */
  async parent(path: string): Promise<{ parent: number; name: FileName }> {
    const cut = path.lastIndexOf('/');
    const name = path.slice(cut + 1);
    if (name === '') throw new FileError('EBUSY', 'the root of the mount');
    return { parent: await this.inode(path.slice(0, cut)), name };
  }

  /** Names were removed or renamed. */
  forget(): void {
    this.#kept.clear();
  }

  async #child(parent: number, name: FileName, prefix: string): Promise<number> {
    const kept = this.#kept.get(prefix);
    if (kept !== undefined && kept.untilMs > this.#clock.monotonicMs()) return kept.inode;
    const { inode } = await this.#operations.names.lookup(parent, name);
    if (this.#kept.size >= MOST_KEPT) this.#kept.clear();
    this.#kept.set(prefix, { inode, untilMs: this.#clock.monotonicMs() + this.#keptMs });
    return inode;
  }
}
