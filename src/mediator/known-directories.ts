// Directories of which every name is known, because they were made through
// this mediator: who looks there for what is not there need not ask the
// metaserver. Most names are looked for just before they are made.
//
// Names are only ever added, before a command that may make them is sent: what is
// not among them was never there. What is among them may be gone; the metaserver knows.
import { type FileName, MAXIMUM_NAME_BYTES } from '../protocol/files.js';
import type { CommandName, Commands } from '../protocol/metadata.js';

/** Names and directories together: some ten megabytes. */
const MAXIMUM_ENTRIES = 65_536;

export class KnownDirectories {
  /** The one that was used least recently stands first. */
  readonly #directories = new Map<number, Set<FileName>>();
  #entries = 0;

  /** @param losses of connections to the metaserver so far: a number that grows */
  constructor(
    private readonly losses: () => number,
    private readonly maximumEntries = MAXIMUM_ENTRIES,
  ) {}

  /** Whether no such name can be there. In doubt it can. */
  isAbsent(parent: number, name: FileName): boolean {
    if (!isPossible(name) || name === '.' || name === '..') return false;
    const names = this.#touch(parent);
    return names !== undefined && !names.has(name);
  }

  /**
   * Runs a command, and takes note of what it may make.
   * @param isAgain whether it may have been carried out before: others may have been at work since in what it made
   */
  async note<K extends CommandName>(
    command: K,
    request: Commands[K]['request'],
    isAgain: boolean,
    run: () => Promise<Commands[K]['result']>,
  ): Promise<Commands[K]['result']> {
    const losses = this.losses();
    this.#mayMake(command, request);
    try {
      const result = await run();
      // A reply that comes after a loss may be to a repetition too.
      const isFirst = !isAgain && losses === this.losses();
      const emptyDirectory = isFirst ? directoryMade(command, request, result) : undefined;
      if (emptyDirectory !== undefined) this.#know(emptyDirectory);
      return result;
    } finally {
      // The directory may have become known meanwhile.
      this.#mayMake(command, request);
    }
  }

  clear(): void {
    this.#directories.clear();
    this.#entries = 0;
  }

  #mayMake(command: CommandName, request: object): void {
    switch (command) {
      case 'make':
      case 'link': {
        const { parent, name } = request as Commands['link']['request'];
        this.#add(parent, name);
        return;
      }
      case 'rename': {
        const { parent, name, newParent, newName } = request as Commands['rename']['request'];
        this.#add(newParent, newName);
        // An exchange.
        this.#add(parent, name);
        return;
      }
      default:
    }
  }

  #add(parent: number, name: FileName): void {
    const names = this.#touch(parent);
    if (names === undefined || names.has(name) || !isPossible(name)) return;
    names.add(name);
    this.#entries++;
    this.#makeRoom();
  }

  #know(inode: number): void {
    if (this.#directories.has(inode)) return;
    this.#directories.set(inode, new Set());
    this.#entries++;
    this.#makeRoom();
  }

  #makeRoom(): void {
    for (const [oldest, names] of this.#directories) {
      if (this.#entries <= this.maximumEntries) break;
      this.#directories.delete(oldest);
      this.#entries -= 1 + names.size;
    }
  }

  #touch(inode: number): Set<FileName> | undefined {
    const names = this.#directories.get(inode);
    if (names === undefined) return undefined;
    this.#directories.delete(inode);
    this.#directories.set(inode, names);
    return names;
  }
}

/** The metaserver refuses other names, and says why. */
function isPossible(name: FileName): boolean {
  return name.length > 0 && name.length <= MAXIMUM_NAME_BYTES;
}

/** The inode of a directory that has been made, and that nobody has changed since. */
function directoryMade(command: CommandName, request: object, result: object): number | undefined {
  if (command !== 'make' || (request as Commands['make']['request']).kind !== 'directory') return undefined;
  const { created, attributes } = result as Commands['make']['result'];
  return created && attributes.revision === 1 ? attributes.inode : undefined;
}
