// Names that this mediator need not ask the metaserver for, since all changes
// pass through it: which inode a name stands for, from what was answered lately;
// and, in directories that were made here, that a name was never there. Most
// names are looked for just before they are made.
//
// What a change under way may touch is not known until it is answered. Of a
// directory made here names are noted before a command that may make them is
// sent, and stay until one that nothing else disturbed has taken them away: what
// is not among them is not there.
import { type FileName, MAXIMUM_NAME_BYTES } from '../../protocol/services/files.js';
import type { Answer, CommandName, Commands } from '../../protocol/services/metadata.js';
import type { Clock } from '../../runtime/clock.js';

/** Names and directories together: about ten megabytes, three times that if all are directories. */
const MAXIMUM_ENTRIES = 65_536;
/** As long as kernels believe names by default. Bounds what a process that was stopped believes when it goes on. */
const TRUSTED_MS = 10_000;

interface Place {
  parent: number;
  name: FileName;
}

/** What a name stood for when the metaserver was asked. */
interface Entry {
  inode: number;
  atMs: number;
}

interface Directory {
  /** Every name that was ever there, or asked for, is among `names`. */
  isWhole: boolean;
  /** null: what it stands for is not known, or nothing. */
  names: Map<FileName, Entry | null>;
  /** Changes that were begun, and those of them that are not answered. */
  begun: number;
  underWay: number;
}

interface Change {
  beganMs: number;
  /** No other change in these directories was under way when it began. */
  isAlone: boolean;
  lost: Place | undefined;
  gained: Place | undefined;
  directories: readonly { directory: Directory; begun: number }[];
}

/** What a command has done, where its answer says so. */
interface Outcome {
  /** What the gained name stands for. */
  stands?: Entry | undefined;
  /** The lost name stands for nothing. */
  isGone?: boolean;
}

export class KnownNames {
  /** The one that was used least recently stands first. */
  readonly #directories = new Map<number, Directory>();
  #entries = 0;
  /** How often everything was forgotten. */
  #era = 0;

  readonly #clock: Clock;
  readonly #maximumEntries: number;

  constructor(clock: Clock, maximumEntries = MAXIMUM_ENTRIES) {
    this.#clock = clock;
    this.#maximumEntries = maximumEntries;
  }

  /** Names and directories remembered. */
  get size(): number {
    return this.#entries;
  }

  /** The inode that the name stands for; null: no such name can be there; undefined: only the metaserver knows. */
  find(parent: number, name: FileName): number | null | undefined {
    const directory = this.#touch(parent);
    if (directory === undefined) return undefined;
    const entry = directory.names.get(name);
    if (entry === undefined) return directory.isWhole && isPossible(name) ? null : undefined;
    return entry !== null && this.#clock.monotonicMs() - entry.atMs <= TRUSTED_MS ? entry.inode : undefined;
  }

  /** Before a query about names in a directory: takes what it answers, unless a change came between. */
  learner(parent: number): (name: FileName, inode: number) => void {
    const directory = this.#touch(parent) ?? this.#add(parent);
    this.#makeRoom();
    const { begun, underWay } = directory;
    const atMs = this.#clock.monotonicMs();
    return (name, inode) => {
      const isTrue = underWay === 0 && directory.underWay === 0 && directory.begun === begun;
      if (!isTrue || this.#directories.get(parent) !== directory) return;
      this.#set({ parent, name }, { inode, atMs });
      this.#makeRoom();
    };
  }

  /** Runs a command, and takes note of what it does to names. The answer to a repetition says how it was then. */
  async note<K extends CommandName>(
    command: K,
    request: Commands[K]['request'],
    run: () => Promise<Answer<K>>,
  ): Promise<Answer<K>> {
    const { lost, gained } = placesOf(command, request);
    if (lost === undefined && gained === undefined) return run();
    const moved = lost === undefined ? undefined : this.#directories.get(lost.parent)?.names.get(lost.name);
    const change = this.#begin(lost, gained);
    const era = this.#era;
    let outcome: Outcome = {};
    try {
      const result = await run();
      if (result.isRepetition !== true) {
        outcome = outcomeOf(command, request, result, moved ?? undefined, change.beganMs);
        const emptyDirectory = directoryMade(command, request, result);
        if (emptyDirectory !== undefined && era === this.#era) this.#know(emptyDirectory);
      }
      return result;
    } finally {
      this.#end(change, outcome);
    }
  }

  /** Forgets everything. What is under way will not be believed either. */
  clear(): void {
    this.#era++;
    this.#entries = 0;
    for (const [inode, directory] of this.#directories) {
      directory.isWhole = false;
      directory.names.clear();
      directory.begun++;
      if (directory.underWay === 0) this.#directories.delete(inode);
      else this.#entries++;
    }
  }

  #begin(lost: Place | undefined, gained: Place | undefined): Change {
    const parents = new Set([lost, gained].flatMap((place) => (place === undefined ? [] : [place.parent])));
    let isAlone = true;
    const directories = [...parents].map((parent) => {
      const directory = this.#touch(parent) ?? this.#add(parent);
      if (directory.underWay > 0) isAlone = false;
      directory.begun++;
      directory.underWay++;
      return { directory, begun: directory.begun };
    });
    // Even where not every name is known: the directory may become known meanwhile.
    if (gained !== undefined) this.#set(gained, null);
    if (lost !== undefined) this.#lose(lost);
    this.#makeRoom();
    return { beganMs: this.#clock.monotonicMs(), isAlone, lost, gained, directories };
  }

  #end({ isAlone, lost, gained, directories }: Change, { stands, isGone }: Outcome): void {
    const wasAlone = isAlone && directories.every(({ directory, begun }) => directory.begun === begun);
    for (const { directory } of directories) directory.underWay--;
    if (lost !== undefined && isGone && wasAlone) this.#remove(lost);
    if (gained === undefined) return;
    if (stands !== undefined && wasAlone) this.#set(gained, stands);
    else this.#lose(gained);
  }

  #set({ parent, name }: Place, entry: Entry | null): void {
    const directory = this.#directories.get(parent);
    if (directory === undefined || !isPossible(name)) return;
    if (!directory.names.has(name)) this.#entries++;
    directory.names.set(name, entry);
  }

  /** What the name stands for is not known any more; where every name is known, it stays among them. */
  #lose({ parent, name }: Place): void {
    const directory = this.#directories.get(parent);
    if (directory === undefined) return;
    if (!directory.isWhole) this.#remove({ parent, name });
    else if (directory.names.has(name)) directory.names.set(name, null);
  }

  #remove({ parent, name }: Place): void {
    if (this.#directories.get(parent)?.names.delete(name)) this.#entries--;
  }

  #know(inode: number): void {
    const directory = this.#touch(inode) ?? this.#add(inode);
    directory.isWhole = true;
  }

  #add(inode: number): Directory {
    const directory: Directory = { isWhole: false, names: new Map(), begun: 0, underWay: 0 };
    this.#directories.set(inode, directory);
    this.#entries++;
    return directory;
  }

  #makeRoom(): void {
    for (const [oldest, { names, underWay }] of this.#directories) {
      if (this.#entries <= this.#maximumEntries) break;
      // What is under way must be known to be.
      if (underWay > 0) continue;
      this.#directories.delete(oldest);
      this.#entries -= 1 + names.size;
    }
  }

  #touch(inode: number): Directory | undefined {
    const directory = this.#directories.get(inode);
    if (directory === undefined) return undefined;
    this.#directories.delete(inode);
    this.#directories.set(inode, directory);
    return directory;
  }
}

/** The metaserver refuses other names, and says why; `.` and `..` are not among a directory's names. */
function isPossible(name: FileName): boolean {
  return name.length > 0 && name.length <= MAXIMUM_NAME_BYTES && name !== '.' && name !== '..';
}

/** Where a command takes a name away, and where it makes one. */
function placesOf(command: CommandName, request: object): { lost?: Place; gained?: Place } {
  switch (command) {
    case 'make':
    case 'link':
      return { gained: request as Commands['link']['request'] };
    case 'unlink':
    case 'rmdir':
      return { lost: request as Commands['unlink']['request'] };
    case 'rename': {
      const { parent, name, newParent, newName } = request as Commands['rename']['request'];
      return { lost: { parent, name }, gained: { parent: newParent, name: newName } };
    }
    default:
      return {};
  }
}

/** @param moved what the lost name stood for */
function outcomeOf(
  command: CommandName,
  request: object,
  result: object,
  moved: Entry | undefined,
  atMs: number,
): Outcome {
  switch (command) {
    case 'make':
      return { stands: { inode: (result as Commands['make']['result']).attributes.inode, atMs } };
    case 'link':
      return { stands: { inode: (request as Commands['link']['request']).inode, atMs } };
    case 'unlink':
    case 'rmdir':
      return { isGone: true };
    case 'rename':
      return { stands: moved };
    default:
      return {};
  }
}

/** The inode of a directory that has been made, and that nobody has changed since. */
function directoryMade(command: CommandName, request: object, result: object): number | undefined {
  if (command !== 'make' || (request as Commands['make']['request']).kind !== 'directory') return undefined;
  const { created, attributes } = result as Commands['make']['result'];
  return created && attributes.revision === 1 ? attributes.inode : undefined;
}
