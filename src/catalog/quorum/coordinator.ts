// Reads and writes of a quorum, from the server that a client has asked: it is one of the quorum itself.
import type { Peer } from '../../replication/link/peers.js';
import { CatalogError } from '../map/errors.js';
import type { PeerGroup } from '../peers/peer-group.js';
import { MergedLook } from './merged-look.js';
import type { KeyedEntry, Replica } from './replica.js';
import { type Look, lookAt, type QuorumService } from './service.js';
import type { Versioned } from './versioned.js';

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

  /** What a read quorum knows. Throws UNAVAILABLE. */
  async look(path: string): Promise<MergedLook> {
    const { group, replica, readQuorum } = this.#parts;
    const looks: Look[] = [lookAt(replica, path)];
    for (const peer of this.#others()) {
      if (looks.length >= readQuorum()) break;
      const look = await group.ask(peer, 'quorum', (service, options) => service.look({ path }, options));
      if (look !== null) looks.push(look);
    }
    this.#mustBeEnough(looks.length, readQuorum(), 'read', 'UNAVAILABLE');
    return new MergedLook(path, looks);
  }

  /**
   * Has a write quorum store the entry, this server last. Throws VERSION when one of them has a newer one, UNAVAILABLE when none has
   * stored it, and OUTCOME_UNKNOWN when too few have: it may spread from there.
   */
  async write(keyed: KeyedEntry): Promise<void> {
    const { group, absorb, writeQuorum } = this.#parts;
    let stored = 0;
    for (const peer of this.#others()) {
      if (stored + 1 >= writeQuorum()) break;
      const answer = await group.ask(peer, 'quorum', (service, options) => service.write(keyed, options));
      if (answer === null) continue;
      if (answer.newest !== null) await this.#refuse(keyed, answer.newest);
      stored++;
    }
    this.#mustBeEnough(stored + 1, writeQuorum(), 'written', stored > 0 ? 'OUTCOME_UNKNOWN' : 'UNAVAILABLE');
    await absorb([keyed]);
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
