// Reads and writes of a quorum, from the server that a client has asked: it is one of the quorum itself.
import type { Peer } from '../../replication/link/peers.js';
import { CatalogError } from '../map/errors.js';
import type { Call, PeerGroup } from '../peers/peer-group.js';
import { fetchEntries } from './fetching.js';
import { MergedLook } from './merged-look.js';
import type { Replica } from './replica.js';
import { type Look, lookAt, type QuorumService } from './service.js';
import { isNewer, type Key, type KeyedEntry, type Stamp, type Versioned } from './versioned.js';

export interface CoordinatorParts {
  readonly group: PeerGroup<QuorumService>;
  readonly replica: Replica;
  readonly absorb: (entries: readonly KeyedEntry[]) => Promise<void>;
  /** How many servers are read, and written, this one included. */
  readonly readQuorum: () => number;
  readonly writeQuorum: () => number;
  /** 0 up to 1. */
  readonly fraction: () => number;
}

export class Coordinator {
  readonly #parts: CoordinatorParts;

  constructor(parts: CoordinatorParts) {
    this.#parts = parts;
  }

  /** What a read quorum knows of a path, and of its children if they are asked for. Throws UNAVAILABLE. */
  async look(path: string, { withChildren }: { withChildren: boolean }): Promise<MergedLook> {
    const { replica, readQuorum } = this.#parts;
    const from = withChildren ? '' : null;
    const answers = await this.#answers(readQuorum() - 1, (service, options) =>
      wholeLook((childrenBehind) => service.look({ path, childrenBehind }, options), from),
    );
    this.#mustBeEnough(answers.length + 1, readQuorum(), 'read', 'UNAVAILABLE');
    return new MergedLook(path, [
      await wholeLook(async (childrenBehind) => lookAt(replica, path, childrenBehind), from),
      ...answers,
    ]);
  }

  /** The entries of keys, none of them older than it was seen to be. Throws UNAVAILABLE. */
  async entries(seen: ReadonlyMap<Key, Stamp>): Promise<Map<Key, Versioned>> {
    const { group, replica } = this.#parts;
    const found = new Map<Key, Versioned>();
    const note = (key: Key, entry: Versioned | undefined) => {
      const stamp = seen.get(key);
      if (entry !== undefined && stamp !== undefined && !isNewer(stamp, entry)) found.set(key, entry);
    };
    for (const key of seen.keys()) note(key, replica.entryOf(key));
    for (const peer of group.living) {
      const missing = [...seen.keys()].filter((key) => !found.has(key));
      await fetchEntries(group, peer, missing, async (entries) => {
        for (const { key, entry } of entries) note(key, entry);
      });
    }
    if (found.size === seen.size) return found;
    throw new CatalogError(
      'UNAVAILABLE',
      `${seen.size - found.size} values lie on servers that do not answer any more`,
    );
  }

  /**
   * Has a write quorum store the entry, this server last. Throws VERSION when one of them has a newer one, UNAVAILABLE when none has
   * stored it, and OUTCOME_UNKNOWN when too few have: it may spread from there.
   */
  async write(keyed: KeyedEntry): Promise<void> {
    const { absorb, writeQuorum } = this.#parts;
    const answers = await this.#answers(writeQuorum() - 1, (service, options) => service.write(keyed, options));
    for (const { newest } of answers) if (newest !== null) await this.#refuse(keyed, newest);
    const stored = answers.length;
    this.#mustBeEnough(stored + 1, writeQuorum(), 'written', stored > 0 ? 'OUTCOME_UNKNOWN' : 'UNAVAILABLE');
    await absorb([keyed]);
  }

  /** Of so many others, all asked at once; for each that does not answer another one is asked, as long as there is one. */
  async #answers<T>(needed: number, call: Call<QuorumService, T>): Promise<T[]> {
    const others = this.#others();
    const answers: T[] = [];
    while (answers.length < needed && others.length > 0) {
      const asked = others.splice(0, needed - answers.length);
      const given = await Promise.all(asked.map((peer) => this.#parts.group.ask(peer, 'quorum', call)));
      for (const answer of given) if (answer !== null) answers.push(answer);
    }
    return answers;
  }

  async #refuse({ key, entry }: KeyedEntry, newest: Versioned): Promise<never> {
    await this.#parts.absorb([{ key, entry: newest }]);
    const message = `${key} has version ${newest.version} already, and ${entry.version} is not greater`;
    throw new CatalogError('VERSION', message);
  }

  /** Those that can be reached, beginning with another one each time. */
  #others(): Peer[] {
    const { group, fraction } = this.#parts;
    const { living } = group;
    const first = Math.floor(fraction() * living.length);
    return [...living.slice(first), ...living.slice(0, first)];
  }

  #mustBeEnough(count: number, needed: number, what: string, code: 'UNAVAILABLE' | 'OUTCOME_UNKNOWN'): void {
    if (count >= needed) return;
    throw new CatalogError(code, `${needed} servers must be ${what}, and ${count} can be`);
  }
}

/** With all children, however many answers that takes. @param from the name before the first child; null for no children */
async function wholeLook(ask: (childrenBehind: string | null) => Promise<Look>, from: string | null): Promise<Look> {
  const first = await ask(from);
  const children = [...first.children];
  for (let { more } = first; more !== null; ) {
    const next = await ask(more);
    children.push(...next.children);
    more = next.more;
  }
  return { ...first, children };
}
