// What one server holds under the quorum protocol: the newest entry of each path that it knows, and of each server that came or went.
import { Packr } from 'msgpackr';
import { inParts } from '../map/in-parts.js';
import { ValueTree } from '../map/value-tree.js';
import { LocalView } from '../peers/local-view.js';
import { Buckets } from './buckets.js';
import { bytesOf, isNewer, type Key, type KeyedEntry, type Versioned } from './versioned.js';

const SERVER_PREFIX = 'server:';

/** The stamps of some keys. */
export type Summary = readonly (readonly [key: Key, version: number, digest: string])[];

export class Replica {
  readonly tree = new ValueTree<Versioned>();
  readonly view = new LocalView(this.tree);
  readonly buckets = new Buckets();
  #newestVersion = 0;
  readonly #servers = new Map<string, Versioned>();
  /** This server has had all that it may have acknowledged, since its disk was blank. */
  hasBegun = false;

  entryOf(key: Key): Versioned | undefined {
    return key.startsWith(SERVER_PREFIX) ? this.#servers.get(nameIn(key)) : this.tree.get(key);
  }

  /** Keeps the newer one. @returns whether that is this one */
  absorb(key: Key, entry: Versioned): boolean {
    const before = this.entryOf(key);
    if (!isNewer(entry, before)) return false;
    this.buckets.replaced(key, before, entry);
    this.#newestVersion = Math.max(this.#newestVersion, entry.version);
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
    return this.#newestVersion;
  }

  /** Of the keys in a bucket. */
  summary(bucket: number): Summary {
    return [...this.buckets.keysIn(bucket)].flatMap((key) => {
      const entry = this.entryOf(key);
      return entry === undefined ? [] : [[key, entry.version, entry.digest] as const];
    });
  }

  /** Keys whose entries here are newer than in the summary of a bucket, and the other way round. */
  compare(bucket: number, summary: Summary): { newerHere: Key[]; newerThere: Key[] } {
    const theirs = new Map(summary.map(([key, version, digest]) => [key, { version, digest }]));
    const newerHere = [...this.buckets.keysIn(bucket)].filter((key) => {
      const entry = this.entryOf(key);
      return entry !== undefined && isNewer(entry, theirs.get(key));
    });
    const newerThere = [...theirs].filter(([key, stamp]) => isNewer(stamp, this.entryOf(key))).map(([key]) => key);
    return { newerHere, newerThere };
  }

  /** All of it as it is now, for the journal, whatever becomes of it while the parts are asked for. */
  parts(): Iterable<Uint8Array> {
    return encodeParts(this.hasBegun, this.#all());
  }

  /** One of `parts`. */
  replayPart(bytes: Uint8Array): void {
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

function* encodeParts(hasBegun: boolean, all: readonly KeyedEntry[]): Generator<Uint8Array> {
  if (all.length === 0) yield packr.pack({ hasBegun, entries: [] });
  for (const entries of inParts(all, bytesOf)) yield packr.pack({ hasBegun, entries });
}

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
