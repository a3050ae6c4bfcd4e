// What one server holds under the quorum protocol: the newest entry of each path that it knows, and of each server that came or went.
import { Packr } from 'msgpackr';
import { ValueTree } from '../map/value-tree.js';
import { LocalView } from '../peers/local-view.js';
import { isNewer, type Stamp, type Versioned } from './versioned.js';

/** A path; or server:NAME, whose value is its address. */
export type Key = string;
const SERVER_PREFIX = 'server:';

export interface KeyedEntry {
  readonly key: Key;
  readonly entry: Versioned;
}

/** The stamps of all keys. */
export type Summary = readonly (readonly [key: Key, version: number, digest: string])[];

export class Replica {
  readonly tree = new ValueTree<Versioned>();
  readonly view = new LocalView(this.tree);
  readonly #servers = new Map<string, Versioned>();
  /** This server has had all that it may have acknowledged, since its disk was blank. */
  hasBegun = false;

  entryOf(key: Key): Versioned | undefined {
    return key.startsWith(SERVER_PREFIX) ? this.#servers.get(nameIn(key)) : this.tree.get(key);
  }

  /** Keeps the newer one. @returns whether that is this one */
  absorb(key: Key, entry: Versioned): boolean {
    if (!isNewer(entry, this.entryOf(key))) return false;
    if (key.startsWith(SERVER_PREFIX)) this.#servers.set(nameIn(key), entry);
    else this.tree.put(key, entry);
    return true;
  }

  /** By name; null for one that was removed. */
  get serverChanges(): ReadonlyMap<string, string | null> {
    const changes = [...this.#servers].map(
      ([name, { isRemoved, bytes }]) => [name, isRemoved ? null : new TextDecoder().decode(bytes)] as const,
    );
    return new Map(changes);
  }

  get size(): number {
    return this.tree.size;
  }

  /** Of all entries. */
  get newestVersion(): number {
    return this.#all().reduce((newest, { entry }) => Math.max(newest, entry.version), 0);
  }

  summary(): Summary {
    return this.#all().map(({ key, entry: { version, digest } }) => [key, version, digest]);
  }

  /** What is newer here than in a summary, and the keys of what is newer there. */
  compare(summary: Summary): { newerHere: KeyedEntry[]; newerThere: Key[] } {
    const theirs = new Map<Key, Stamp>(summary.map(([key, version, digest]) => [key, { version, digest }]));
    const newerHere = this.#all().filter(({ key, entry }) => isNewer(entry, theirs.get(key)));
    const newerThere = [...theirs].filter(([key, stamp]) => isNewer(stamp, this.entryOf(key))).map(([key]) => key);
    return { newerHere, newerThere };
  }

  encode(): Uint8Array {
    return packr.pack({ hasBegun: this.hasBegun, entries: this.#all() });
  }

  /** Of `encode`. */
  replayState(bytes: Uint8Array): void {
    const { hasBegun, entries } = packr.unpack(bytes) as { hasBegun: boolean; entries: KeyedEntry[] };
    this.hasBegun = hasBegun;
    for (const { key, entry } of entries) this.absorb(key, entry);
  }

  /** A record of the journal: an entry, or BEGUN. */
  replay(record: Uint8Array): void {
    const keyed = packr.unpack(record) as KeyedEntry | null;
    if (keyed === null) this.hasBegun = true;
    else this.absorb(keyed.key, keyed.entry);
  }

  #all(): KeyedEntry[] {
    const servers = [...this.#servers].map(([name, entry]) => ({ key: serverKey(name), entry }));
    return [...servers, ...[...this.tree.entries()].map(([key, entry]) => ({ key, entry }))];
  }
}

const packr = new Packr({ useRecords: false, mapsAsObjects: true, variableMapSize: true, copyBuffers: true });

export function encodeEntry(keyed: KeyedEntry): Uint8Array {
  return packr.pack(keyed);
}

/** The record that says `hasBegun`. */
export const BEGUN: Uint8Array = packr.pack(null);

export function serverKey(name: string): Key {
  return SERVER_PREFIX + name;
}

function nameIn(key: Key): string {
  return key.slice(SERVER_PREFIX.length);
}
