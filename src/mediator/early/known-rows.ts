// Rows of the namespace that this mediator knows: inodes, and names in
// directories. Commands are carried out on them by the namespace's own code. What
// is not here makes a command fail with UNKNOWN before it has changed anything.
//
// A row here has all that an answer depends on, and not all of the metaserver's
// row: blocks, garbage and totals are the metaserver's alone.
import { apply } from '../../namespace/apply.js';
import { TABLE_QUERIES } from '../../namespace/queries.js';
import { encodeCounters } from '../../namespace/state/counters.js';
import { decodeEntry, type EntryRow } from '../../namespace/state/entry-rows.js';
import { attributesOf, decodeInode, type InodeRow } from '../../namespace/state/inode-row.js';
import { COUNTERS_KEY, entryKey, inodeKey, nameFromKey, numberFromKey } from '../../namespace/state/keys.js';
import { Tables } from '../../namespace/state/tables.js';
import type { Key, Row, View } from '../../namespace/view.js';
import type { Attributes, DirectoryEntry, FileKind, FileName } from '../../protocol/services/files.js';
import type { Command, CommandName, Commands, Queries, WholeInode } from '../../protocol/services/metadata.js';
import { RecentMap } from '../../runtime/recent-map.js';
import { KnownDirectories, type KnownDirectory, UNKNOWN_COOKIE } from './known-directories.js';

/** An answer depends on a row that is not known. Not an error of anybody: made once, since a stack takes time. */
export const UNKNOWN = new Error('not known to this mediator');

/** What is missing: a name, an inode, the end of commands that change an inode, or what is never known here. */
export type Wanted =
  | { what: 'name'; parent: number; name: FileName }
  | { what: 'inode'; inode: number }
  | { what: 'settled' }
  | { what: 'never' };

/** About 20 megabytes. */
const MAXIMUM_INODES = 65_536;

/** So large that no command runs into a limit of the numbers that it gives out or counts. */
const PLENTY = 2 ** 40;
const COUNTERS = encodeCounters({
  nextInode: PLENTY,
  nextVersion: PLENTY,
  nextGarbage: PLENTY,
  inodes: PLENTY,
  blocks: PLENTY,
  bytes: PLENTY,
  garbage: PLENTY,
  missed: 0,
  retiredBelow: 0,
});

/**
 * What was known when something was asked. The answer counts while nothing was forgotten since: what is known is never turned back
 * then. Names count while their directory was not forgotten, which is a loss of its own.
 */
export interface Look {
  losses: number;
  directory: KnownDirectory | undefined;
}

/** The namespace's tables, of which blocks are left out: no answer depends on which blocks a file loses. */
class KnownTables extends Tables {
  protected readonly rows: KnownRows;

  constructor(rows: KnownRows) {
    super(rows);
    this.rows = rows;
  }

  override inode(inode: number): InodeRow | undefined {
    return this.rows.inode(inode);
  }

  override entriesAfter(parent: number, cookie: number, limit: number): DirectoryEntry[] {
    return this.rows.entriesAfter(parent, cookie, limit);
  }

  override entry(parent: number, name: FileName): EntryRow | undefined {
    return this.rows.entry(parent, name);
  }

  override blocks(): [] {
    return [];
  }
}

/** The same without copies, for what changes nothing. */
class UnchangedTables extends KnownTables {
  override inode(inode: number): InodeRow | undefined {
    return this.rows.unchanged(inode);
  }
}

export class KnownRows implements View {
  /** Somebody is answered from here; nothing is learnt before. */
  isInUse = false;
  /** What the last UNKNOWN was about. */
  wanted: Wanted = { what: 'never' };
  /** 'none': there is no such inode. */
  readonly #inodes = new RecentMap<number, InodeRow | 'none'>(MAXIMUM_INODES);
  readonly #directories = new KnownDirectories();
  /** Inodes that commands under way at the metaserver may change, and how many of these. */
  readonly #inFlux = new Map<number, number>();
  /** Of these, inodes that several commands may have changed at the same time: their answers come in any order. */
  readonly #mixed = new Set<number>();
  /** Commands under way at the metaserver of which it is not known what they change. */
  #unclear = 0;
  /** How often rows were forgotten. */
  #losses = 0;
  /** What the command at hand has changed; null removes. */
  readonly #changes = new Map<Key, Uint8Array | null>();
  readonly #tables = new KnownTables(this);
  readonly #unchangedTables = new UnchangedTables(this);

  get size(): number {
    return this.#inodes.size + this.#directories.size;
  }

  /**
   * Carries out a command on what is known. Throws what the namespace throws, or UNKNOWN; then nothing has changed.
   * @returns its result, and whether it changes anything
   */
  run<K extends CommandName>(
    command: Extract<Command, { name: K }>,
  ): { result: Commands[K]['result']; isChange: boolean } {
    if (this.#unclear > 0) this.#fail({ what: 'settled' });
    try {
      const result = apply<K>(this.#tables, command);
      const isChange = this.#changes.size > 0;
      for (const [key, value] of this.#changes) this.#keep(key, value);
      this.#directories.makeRoom();
      return { result, isChange };
    } finally {
      this.#changes.clear();
    }
  }

  /** What is under a name of a directory; null: nothing. Throws UNKNOWN. */
  lookup(parent: number, name: FileName): Attributes | null {
    const directory = this.#inode(parent);
    if (directory === 'none' || directory.kind !== 'directory') return this.refuse();
    const entry = this.#entry(parent, name);
    return entry === null ? null : this.attributes(entry.inode);
  }

  /** null: there is no such inode, or it counts as gone. Throws UNKNOWN. */
  attributes(inode: number): Attributes | null {
    if (this.#unclear > 0) this.#fail({ what: 'settled' });
    const row = this.#inode(inode);
    return row === 'none' || row.state === 'purging' ? null : attributesOf(row);
  }

  /** A page of a listing, when all entries of the directory are known. Throws UNKNOWN, and what the namespace throws. */
  readdir(request: Queries['readdir']['request']): Queries['readdir']['result'] {
    if (this.#unclear > 0) this.#fail({ what: 'settled' });
    return TABLE_QUERIES.readdir(this.#unchangedTables, request);
  }

  /** The number is given to an inode that is made next. */
  free(inode: number): void {
    this.#inodes.set(inode, 'none');
  }

  /** A command that is never carried out here. */
  refuse(): never {
    return this.#fail({ what: 'never' });
  }

  /** Of what is no inode and no name, only totals are here. */
  get(key: Key): Uint8Array | undefined {
    return key === COUNTERS_KEY ? COUNTERS : this.#fail({ what: 'never' });
  }

  /** A row of its own for the command at hand. */
  inode(inode: number): InodeRow | undefined {
    const changed = this.#changes.size === 0 ? undefined : this.#changes.get(inodeKey(inode));
    if (changed !== undefined) return changed === null ? undefined : decodeInode(changed);
    const row = this.unchanged(inode);
    return row === undefined ? undefined : { ...row };
  }

  /** The row itself, for who changes nothing. */
  unchanged(inode: number): InodeRow | undefined {
    const row = this.#inode(inode);
    return row === 'none' ? undefined : row;
  }

  entry(parent: number, name: FileName): EntryRow | undefined {
    const changed = this.#changes.size === 0 ? undefined : this.#changes.get(entryKey(parent, name));
    if (changed !== undefined) return changed === null ? undefined : decodeEntry(changed);
    return this.#entry(parent, name) ?? undefined;
  }

  entriesAfter(parent: number, cookie: number, limit: number): DirectoryEntry[] {
    const row = this.#inode(parent);
    const directory = this.#directories.use(parent);
    if (row === 'none' || row.children !== (directory?.present ?? 0)) return this.refuse();
    return directory === undefined ? [] : (directory.entriesAfter(cookie, limit) ?? this.refuse());
  }

  put(key: Key, value: Uint8Array): void {
    this.#changes.set(key, value);
  }

  remove(key: Key): void {
    this.#changes.set(key, null);
  }

  scan(): Row[] {
    return this.#fail({ what: 'never' });
  }

  /** To be called before something is asked of which rows are learnt. @param parent the directory whose names are asked for */
  look(parent?: number): Look {
    if (parent === undefined) return { losses: this.#lost, directory: undefined };
    const directory = this.#directories.of(parent);
    this.#directories.makeRoom();
    return { losses: this.#lost, directory };
  }

  /** An answer has these attributes, which do not say all of the row. */
  observe(attributes: Attributes, look: Look): void {
    const { inode, kind, links, sizeBytes, blockSizeBytes } = attributes;
    const value = this.#inodes.get(inode);
    const known = value === 'none' ? undefined : value;
    if (kind === 'directory') {
      // It has other entries now.
      if (known !== undefined && known.revision < attributes.revision) this.#inodes.delete(inode);
      return;
    }
    // Whether it never had a name.
    if (links === 0 && known === undefined) return;
    // As many as there may be: whether a file is taken apart at once or step by step shows in no answer.
    const children = kind === 'file' ? Math.ceil(sizeBytes / blockSizeBytes) : 0;
    const state = links > 0 ? 'named' : (known?.state ?? 'named');
    this.learn({ attributes, parent: 0, children, nextCookie: 0, state }, look);
  }

  /** The row of an inode, as far as answers depend on it. */
  learn(whole: WholeInode, look: Look): void {
    const { attributes } = whole;
    const { inode } = attributes;
    if (look.losses !== this.#lost || this.#isInFlux(inode)) return;
    const known = this.#inodes.get(inode);
    if (known === 'none' || (known !== undefined && isLater(known, attributes))) return;
    this.#inodes.set(inode, rowOf(whole));
  }

  /** What a name stood for when it was asked for, in a listing with its cookie; null: nothing. */
  learnName(
    parent: number,
    name: FileName,
    found: { inode: number; kind: FileKind; cookie?: number } | null,
    look: Look,
  ): void {
    // No entries stand for these two, and the directory does not count them.
    if (name === '.' || name === '..') return;
    const directory = this.#directories.get(parent);
    if (directory === undefined || directory !== look.directory) return;
    // A change that was answered here since then would have left the name here.
    const known = directory.entry(name);
    const isOnlyPlace = known?.inode === found?.inode && known?.cookie === UNKNOWN_COOKIE;
    if (known !== undefined && !isOnlyPlace) return;
    if (look.losses !== this.#lost || this.#isInFlux(parent)) return;
    const { inode = 0, kind = 'file', cookie = UNKNOWN_COOKIE } = found ?? {};
    this.#directories.set(directory, name, found === null ? null : { inode, kind, cookie });
    this.#directories.makeRoom();
  }

  /**
   * A command goes to the metaserver: until it is over, nothing is known of the inodes that it changes.
   * @param inodes that it changes; null when that is not known: then nothing is known of any inode afterwards
   * @param parents directories whose names it changes
   * @returns to be called when it is over; answers whether its answer says how those inodes are now
   */
  beginOther(inodes: readonly number[] | null, parents: readonly number[]): () => boolean {
    if (inodes === null) this.#unclear++;
    const touched = [...(inodes ?? []), ...parents];
    for (const inode of touched) this.#inFlux.set(inode, (this.#inFlux.get(inode) ?? 0) + 1);
    return () => {
      if (inodes === null) {
        this.#unclear--;
        this.#forgetInodes();
      }
      let isAlone = true;
      for (const inode of touched) if (!this.#endFlux(inode)) isAlone = false;
      for (const parent of parents) {
        this.forget(parent);
        this.#directories.forget(parent);
      }
      return isAlone;
    };
  }

  #endFlux(inode: number): boolean {
    const left = (this.#inFlux.get(inode) ?? 1) - 1;
    if (left > 0) {
      this.#inFlux.set(inode, left);
      this.#mixed.add(inode);
      return false;
    }
    this.#inFlux.delete(inode);
    if (!this.#mixed.delete(inode)) return true;
    this.forget(inode);
    return false;
  }

  /** What a name stands for; null: nothing; undefined: that is not known. */
  inodeOf(parent: number, name: FileName): number | null | undefined {
    if (this.#isInFlux(parent)) return undefined;
    try {
      return this.#entry(parent, name)?.inode ?? null;
    } catch (error) {
      if (error !== UNKNOWN) throw error;
      return undefined;
    }
  }

  forget(inode: number): void {
    this.#inodes.delete(inode);
    this.#losses++;
  }

  clear(): void {
    this.#forgetInodes();
    this.#directories.clear();
  }

  #forgetInodes(): void {
    this.#losses++;
    this.#inodes.clear();
  }

  get #lost(): number {
    return this.#losses + this.#inodes.turnovers;
  }

  #isInFlux(inode: number): boolean {
    return this.#unclear > 0 || this.#inFlux.has(inode);
  }

  #inode(inode: number): InodeRow | 'none' {
    if (this.#inFlux.has(inode)) return this.#fail({ what: 'settled' });
    return this.#inodes.get(inode) ?? this.#fail({ what: 'inode', inode });
  }

  #entry(parent: number, name: FileName): EntryRow | null {
    const directory = this.#directories.use(parent);
    const known = directory?.entry(name);
    if (known !== undefined) return known;
    // As many names are known as the directory has: it has no other.
    const row = this.#inode(parent);
    if (row !== 'none' && row.children === (directory?.present ?? 0)) return null;
    return this.#fail({ what: 'name', parent, name });
  }

  #fail(wanted: Wanted): never {
    this.wanted = wanted;
    throw UNKNOWN;
  }

  #keep(key: Key, value: Uint8Array | null): void {
    if (key[0] === 'i') {
      this.#inodes.set(numberFromKey(key, 1), value === null ? 'none' : decodeInode(value));
    } else if (key[0] === 'd') {
      const entry = value === null ? null : decodeEntry(value);
      this.#directories.set(this.#directories.of(numberFromKey(key, 1)), nameFromKey(key, 1), entry);
    }
  }
}

/** A read changes the access time alone, and not the revision. */
function isLater(known: InodeRow, { revision, accessTimeNs }: Attributes): boolean {
  return known.revision > revision || (known.revision === revision && known.accessTimeNs > accessTimeNs);
}

// All members by name: V8 keeps no common shape for literals that begin with a spread.
function rowOf({ attributes, parent, children, nextCookie, state }: WholeInode): InodeRow {
  return {
    inode: attributes.inode,
    kind: attributes.kind,
    mode: attributes.mode,
    links: attributes.links,
    uid: attributes.uid,
    gid: attributes.gid,
    sizeBytes: attributes.sizeBytes,
    allocatedBytes: attributes.allocatedBytes,
    accessTimeNs: attributes.accessTimeNs,
    modifyTimeNs: attributes.modifyTimeNs,
    changeTimeNs: attributes.changeTimeNs,
    device: attributes.device,
    blockSizeBytes: attributes.blockSizeBytes,
    revision: attributes.revision,
    state,
    parent,
    children,
    nextCookie,
    xattrs: attributes.extendedAttributes,
    target: '',
  };
}
