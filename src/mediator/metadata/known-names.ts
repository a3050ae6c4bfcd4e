// A cache of names, for lookups that this mediator can answer without the
// metaserver because all changes pass through it: which inode a name stands for,
// from recent answers; and, for a directory that was made through this mediator,
// that it has no such name. Most names are looked up just before they are made.
//
// Nothing is believed about a name that a change under way may touch. In a
// directory that was made here, a name is noted before the command that may add it
// is sent, and it stays until a command has removed it while no other change in the
// directory was under way: so a name that is not noted does not exist.
import { type FileName, MAXIMUM_NAME_BYTES } from '../../protocol/services/files.js';
import type { Answer, CommandName, Commands } from '../../protocol/services/metadata.js';
import { assert } from '../../runtime/assert.js';
import type { Clock } from '../../runtime/clock.js';
import { OrderedByUse } from '../../runtime/ordered-by-use.js';
import { directoryMade, inodeAdded, isRemoved, type Place, placesOf } from './name-effects.js';

/** Names and directories together: about ten megabytes, three times that if all are directories. */
const MAXIMUM_ENTRIES = 65_536;
/** As long as kernels trust names by default. Bounds what a process that was stopped believes when it goes on. */
const TRUSTED_MS = 10_000;

/** The inode of a name when the metaserver was asked. */
interface Entry {
  inode: number;
  atMs: number;
}

interface Directory {
  /** Every name that may exist in it is among `names`. */
  isComplete: boolean;
  /** null: the name may exist, and its inode is not known. */
  names: Map<FileName, Entry | null>;
  /** Changes so far, and those of them that are not answered yet. */
  begun: number;
  underWay: number;
}

interface Change {
  beganMs: number;
  /** No other change in these directories was under way when it began. */
  isAlone: boolean;
  removed: Place | undefined;
  added: Place | undefined;
  directories: readonly { directory: Directory; begun: number }[];
}

/** What a command has done, as far as its answer says so. */
interface Outcome {
  /** What the added name stands for. */
  entry?: Entry | undefined;
  /** The removed name is gone. */
  isGone?: boolean;
}

export class KnownNames {
  readonly #directories = new OrderedByUse<number, Directory>();
  #entries = 0;
  /** Grows with every `clear`: answers to commands from before are not remembered. */
  #epoch = 0;

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

  /** The inode of a name; null: the name does not exist; undefined: only the metaserver knows. */
  find(parent: number, name: FileName): number | null | undefined {
    const directory = this.#directories.use(parent);
    if (directory === undefined) return undefined;
    const entry = directory.names.get(name);
    if (entry === undefined) return directory.isComplete && isPossible(name) ? null : undefined;
    return entry !== null && this.#clock.monotonicMs() - entry.atMs <= TRUSTED_MS ? entry.inode : undefined;
  }

  /** To be called before a query about names in a directory: the result takes the answer, unless a change came between. */
  learner(parent: number): (name: FileName, inode: number) => void {
    const directory = this.#directories.use(parent) ?? this.#add(parent);
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

  /** Runs a command, and notes what it does to names. */
  async note<K extends CommandName>(
    command: K,
    request: Commands[K]['request'],
    run: () => Promise<Answer<K>>,
  ): Promise<Answer<K>> {
    const { removed, added } = placesOf(command, request);
    if (removed === undefined && added === undefined) return run();
    const moved = removed === undefined ? undefined : this.#directories.get(removed.parent)?.names.get(removed.name);
    const change = this.#begin(removed, added);
    const epoch = this.#epoch;
    let outcome: Outcome = {};
    try {
      const result = await run();
      // The answer to a retry may describe an earlier state.
      if (result.isRepetition !== true) {
        const inode = inodeAdded(command, request, result);
        const made = inode === undefined ? undefined : { inode, atMs: change.beganMs };
        outcome = { entry: command === 'rename' ? (moved ?? undefined) : made, isGone: isRemoved(command) };
        const emptyDirectory = directoryMade(command, request, result);
        if (emptyDirectory !== undefined && epoch === this.#epoch) this.#complete(emptyDirectory);
      }
      return result;
    } finally {
      this.#end(change, outcome);
    }
  }

  /** Forgets everything, and later also the outcomes of changes that are under way now. */
  clear(): void {
    this.#epoch++;
    this.#entries = 0;
    for (const [inode, directory] of this.#directories) {
      directory.isComplete = false;
      directory.names.clear();
      directory.begun++;
      if (directory.underWay === 0) this.#directories.delete(inode);
      else this.#entries++;
    }
  }

  #begin(removed: Place | undefined, added: Place | undefined): Change {
    const parents = new Set([removed, added].flatMap((place) => (place === undefined ? [] : [place.parent])));
    let isAlone = true;
    const directories = [...parents].map((parent) => {
      const directory = this.#directories.use(parent) ?? this.#add(parent);
      if (directory.underWay > 0) isAlone = false;
      directory.begun++;
      directory.underWay++;
      return { directory, begun: directory.begun };
    });
    // Also in a directory that is not complete: it may become so meanwhile.
    if (added !== undefined) this.#set(added, null);
    if (removed !== undefined) this.#forgetInode(removed);
    this.#makeRoom();
    return { beganMs: this.#clock.monotonicMs(), isAlone, removed, added, directories };
  }

  #end({ isAlone, removed, added, directories }: Change, { entry, isGone }: Outcome): void {
    const wasAlone = isAlone && directories.every(({ directory, begun }) => directory.begun === begun);
    for (const { directory } of directories) {
      assert(directory.underWay > 0, 'a change ends once');
      directory.underWay--;
    }
    if (removed !== undefined && isGone && wasAlone) this.#remove(removed);
    if (added === undefined) return;
    if (entry !== undefined && wasAlone) this.#set(added, entry);
    else this.#forgetInode(added);
  }

  #set({ parent, name }: Place, entry: Entry | null): void {
    const directory = this.#directories.get(parent);
    if (directory === undefined || !isPossible(name)) return;
    if (!directory.names.has(name)) this.#entries++;
    directory.names.set(name, entry);
  }

  /** Forgets which inode the name stands for. In a complete directory the name stays noted: it may exist. */
  #forgetInode({ parent, name }: Place): void {
    const directory = this.#directories.get(parent);
    if (directory === undefined) return;
    if (!directory.isComplete) this.#remove({ parent, name });
    else if (directory.names.has(name)) directory.names.set(name, null);
  }

  #remove({ parent, name }: Place): void {
    if (this.#directories.get(parent)?.names.delete(name)) this.#entries--;
  }

  #complete(inode: number): void {
    const directory = this.#directories.use(inode) ?? this.#add(inode);
    directory.isComplete = true;
  }

  #add(inode: number): Directory {
    const directory: Directory = { isComplete: false, names: new Map(), begun: 0, underWay: 0 };
    this.#directories.set(inode, directory);
    this.#entries++;
    return directory;
  }

  /** Drops least recently used directories with their names. Not lru-cache: it would drop those with changes under way. */
  #makeRoom(): void {
    for (const [oldest, { names, underWay }] of this.#directories) {
      if (this.#entries <= this.#maximumEntries) break;
      if (underWay > 0) continue;
      this.#directories.delete(oldest);
      this.#entries -= 1 + names.size;
    }
  }
}

/** The metaserver refuses other names, and says why; `.` and `..` are not among a directory's names. */
function isPossible(name: FileName): boolean {
  return name.length > 0 && name.length <= MAXIMUM_NAME_BYTES && name !== '.' && name !== '..';
}
