// What servers of the quorum protocol ask each other.
import { malformed, ServiceError } from '../../protocol/errors.js';
import { textOf } from '../../replication/link/read-greeting.js';
import { checkPath, childOf, parentOf, ROOT } from '../map/paths.js';
import { asService } from '../peers/service-errors.js';
import { DIGESTS_BYTES } from './buckets.js';
import type { Replica, Summary } from './replica.js';
import { bytesOf, isNewer, isSame, type Key, type KeyedEntry, type Stamp, type Versioned } from './versioned.js';

/** Of the entries of one message; a single one may be longer. */
export const MOST_MESSAGE_BYTES = 1024 * 1024;
/** Of the children in one answer. */
const MOST_CHILDREN = 10_000;

/** An entry without its bytes. */
export type Outline = Stamp & Pick<Versioned, 'isRemoved'>;

/** What a server knows of a path, as far as the rules of the map ask for it. */
export interface Look {
  readonly entry: Versioned | null;
  readonly parent: Versioned | null;
  /** Of the children some, in the order of their names, those that were removed too; none when they were not asked for. */
  readonly children: readonly (readonly [name: string, version: number, digest: string, isRemoved: boolean])[];
  /** More children come behind that name. */
  readonly more: string | null;
}

export interface LookRequest {
  readonly path: string;
  /** Those behind that name are asked for; null when none are. */
  readonly childrenBehind: string | null;
}

type Options = { deadlineMs: number };

export interface QuorumService {
  look(request: LookRequest, options?: Options): Promise<Look>;
  /** Stores the entry, unless there is one that is not older: that one is answered. */
  write(request: KeyedEntry, options?: Options): Promise<{ newest: Versioned | null }>;
  /** Answers which buckets are others here. */
  digests(request: { from: string; digests: Uint8Array }, options?: Options): Promise<{ buckets: number[] }>;
  /** Of some buckets: answers what is newer here, and asks for what is newer there. */
  compare(
    request: { from: string; buckets: (readonly [bucket: number, summary: Summary])[] },
    options?: Options,
  ): Promise<{ newer: Key[]; wanted: Key[] }>;
  /** Answers entries of so many of the keys, the first ones, as fit into a message. */
  fetch(request: { keys: readonly Key[] }, options?: Options): Promise<{ entries: KeyedEntry[]; keys: number }>;
  give(request: { entries: readonly KeyedEntry[] }, options?: Options): Promise<Record<string, never>>;
}

export interface ServiceParts {
  replica: Replica;
  /** Stores and absorbs entries; durable when it resolves. */
  absorb: (entries: readonly KeyedEntry[]) => Promise<void>;
  /** Why it takes no part; null when it does. */
  refusal: () => string | null;
  /** It may not have all that it has acknowledged before its disk was lost. */
  isBlank: () => boolean;
}

export function quorumService({ replica, absorb, refusal, isBlank }: ServiceParts): QuorumService {
  const check = (mayBeBlank: boolean) => {
    const why = refusal() ?? (!mayBeBlank && isBlank() ? 'it is blank, and has not heard enough others yet' : null);
    if (why !== null) throw new ServiceError('REFUSED', why);
  };
  return {
    async look({ path, childrenBehind }) {
      check(false);
      return lookAt(replica, checkPath(path), childrenBehind);
    },
    async write(request) {
      check(false);
      const { key, entry } = readEntry(request);
      const present = replica.entryOf(key);
      if (present !== undefined && !isSame(entry, present) && present.version >= entry.version) {
        return { newest: present };
      }
      await asService(absorb([{ key, entry }]));
      const now = replica.entryOf(key);
      return { newest: now !== undefined && isNewer(now, entry) ? now : null };
    },
    async digests({ digests }) {
      check(true);
      if (!(digests instanceof Uint8Array) || digests.length !== DIGESTS_BYTES) throw malformed('digests');
      return { buckets: replica.buckets.differing(digests) };
    },
    async compare({ buckets }) {
      check(true);
      const compared = readSummaries(buckets).map(([bucket, summary]) => replica.compare(bucket, summary));
      return {
        newer: compared.flatMap(({ newerHere }) => newerHere),
        wanted: compared.flatMap(({ newerThere }) => newerThere),
      };
    },
    async fetch({ keys }) {
      check(true);
      if (!Array.isArray(keys)) throw malformed('keys are no list');
      return firstEntries(replica, keys.map(textOf));
    },
    async give({ entries }) {
      check(true);
      if (!Array.isArray(entries)) throw malformed('entries are no list');
      await asService(absorb(entries.map(readEntry)));
      return {};
    },
  };
}

/** @param childrenBehind null for no children */
export function lookAt({ tree }: Replica, path: string, childrenBehind: string | null): Look {
  const parent = path === ROOT ? undefined : tree.get(parentOf(path));
  const names = childrenBehind === null ? [] : tree.namesBelow(path).filter((name) => name > childrenBehind);
  const children = names.slice(0, MOST_CHILDREN).flatMap((name) => {
    const entry = tree.get(childOf(path, name));
    return entry === undefined ? [] : [[name, entry.version, entry.digest, entry.isRemoved] as const];
  });
  const more = names.length > MOST_CHILDREN ? (names[MOST_CHILDREN - 1] ?? null) : null;
  return { entry: tree.get(path) ?? null, parent: parent ?? null, children, more };
}

function firstEntries(replica: Replica, keys: readonly Key[]): { entries: KeyedEntry[]; keys: number } {
  const entries: KeyedEntry[] = [];
  let bytes = 0;
  let taken = 0;
  for (const key of keys) {
    const entry = replica.entryOf(key);
    if (entry !== undefined) {
      bytes += bytesOf({ key, entry });
      if (entries.length > 0 && bytes > MOST_MESSAGE_BYTES) break;
      entries.push({ key, entry });
    }
    taken++;
  }
  return { entries, keys: taken };
}

/** @throws ServiceError MALFORMED */
export function readEntry({ key, entry }: KeyedEntry): KeyedEntry {
  const { version, digest, bytes, isRemoved } = (entry ?? {}) as Partial<Versioned>;
  const isRight = typeof key === 'string' && Number.isSafeInteger(version) && typeof digest === 'string';
  if (!isRight || !(bytes instanceof Uint8Array) || typeof isRemoved !== 'boolean') throw malformed('an entry');
  if (key.startsWith('/')) checkPath(key);
  // The bytes may lie in memory that is used again.
  return { key, entry: { version: version ?? 0, digest, bytes: Uint8Array.from(bytes), isRemoved } };
}

function readSummaries(buckets: unknown): [number, Summary][] {
  const isStamp = (stamp: unknown) =>
    Array.isArray(stamp) &&
    typeof stamp[0] === 'string' &&
    Number.isSafeInteger(stamp[1]) &&
    typeof stamp[2] === 'string';
  const isBucket = (bucket: unknown) =>
    Array.isArray(bucket) && Number.isSafeInteger(bucket[0]) && Array.isArray(bucket[1]) && bucket[1].every(isStamp);
  if (!Array.isArray(buckets) || !buckets.every(isBucket)) throw malformed('summaries of buckets');
  return buckets as [number, Summary][];
}
