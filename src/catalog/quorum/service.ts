// What servers of the quorum protocol ask each other.
import { malformed, ServiceError } from '../../protocol/errors.js';
import { checkPath, parentOf, ROOT } from '../map/paths.js';
import { asService } from '../peers/service-errors.js';
import type { Key, KeyedEntry, Replica, Summary } from './replica.js';
import { isNewer, isSame, type Versioned } from './versioned.js';

/** What a server knows of a path, as far as the rules of the map ask for it. */
export interface Look {
  readonly entry: Versioned | null;
  readonly parent: Versioned | null;
  /** Of the children, those that were removed too. */
  readonly children: readonly { readonly name: string; readonly entry: Versioned }[];
}

type Options = { deadlineMs: number };

export interface QuorumService {
  look(request: { path: string }, options?: Options): Promise<Look>;
  /** Stores the entry, unless there is one that is not older: that one is answered. */
  write(request: KeyedEntry, options?: Options): Promise<{ newest: Versioned | null }>;
  /** Answers what is newer here, and asks for what is newer there. */
  compare(
    request: { from: string; summary: Summary },
    options?: Options,
  ): Promise<{ newer: KeyedEntry[]; wanted: Key[] }>;
  give(request: { entries: KeyedEntry[] }, options?: Options): Promise<Record<string, never>>;
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
    async look({ path }) {
      check(false);
      return lookAt(replica, checkPath(path));
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
    async compare({ summary }) {
      check(true);
      const { newerHere, newerThere } = replica.compare(readSummary(summary));
      return { newer: newerHere, wanted: newerThere };
    },
    async give({ entries }) {
      check(true);
      if (!Array.isArray(entries)) throw malformed('entries are no list');
      await asService(absorb(entries.map(readEntry)));
      return {};
    },
  };
}

export function lookAt({ tree }: Replica, path: string): Look {
  const parent = path === ROOT ? undefined : tree.get(parentOf(path));
  const children = [...tree.below(path)].map(([name, entry]) => ({ name, entry }));
  return { entry: tree.get(path) ?? null, parent: parent ?? null, children };
}

/** @throws ServiceError MALFORMED */
function readEntry({ key, entry }: KeyedEntry): KeyedEntry {
  const { version, digest, bytes, isRemoved } = (entry ?? {}) as Partial<Versioned>;
  const isRight = typeof key === 'string' && Number.isSafeInteger(version) && typeof digest === 'string';
  if (!isRight || !(bytes instanceof Uint8Array) || typeof isRemoved !== 'boolean') throw malformed('an entry');
  if (key.startsWith('/')) checkPath(key);
  // The bytes may lie in memory that is used again.
  return { key, entry: { version: version ?? 0, digest, bytes: Uint8Array.from(bytes), isRemoved } };
}

function readSummary(summary: unknown): Summary {
  const isStamp = (stamp: unknown) =>
    Array.isArray(stamp) &&
    typeof stamp[0] === 'string' &&
    Number.isSafeInteger(stamp[1]) &&
    typeof stamp[2] === 'string';
  if (!Array.isArray(summary) || !summary.every(isStamp)) throw malformed('a summary');
  return summary as unknown as Summary;
}
