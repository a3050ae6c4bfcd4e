// Servers compare what they hold, two by two, by turns: after as many rounds as there are others, all that stood still is equal.
import type { Peer } from '../../replication/link/peers.js';
import { inParts } from '../map/in-parts.js';
import type { PeerGroup } from '../peers/peer-group.js';
import { fetchEntries } from './fetching.js';
import type { Replica } from './replica.js';
import { MOST_MESSAGE_BYTES, type QuorumService } from './service.js';
import { bytesOf, type KeyedEntry } from './versioned.js';

/** Their keys are compared in one message. */
const BUCKETS_AT_ONCE = 32;

export interface GossipParts {
  readonly name: string;
  readonly group: PeerGroup<QuorumService>;
  readonly replica: Replica;
  readonly absorb: (entries: readonly KeyedEntry[]) => Promise<void>;
}

export class Gossip {
  #turn = 0;
  readonly #parts: GossipParts;

  constructor(parts: GossipParts) {
    this.#parts = parts;
  }

  /** With the next of the others that can be reached. @returns its name; null when there is none */
  async round(): Promise<string | null> {
    const { living } = this.#parts.group;
    for (let tries = living.length; tries > 0; tries--) {
      const peer = living[this.#turn++ % living.length];
      if (peer !== undefined && (await this.with(peer))) return peer.name;
    }
    return null;
  }

  /** @returns whether both have the same now, if nothing else changes */
  async with(peer: Peer): Promise<boolean> {
    const { name, group, replica } = this.#parts;
    const digests = replica.buckets.digests();
    const differing = await group.ask(peer, 'quorum', (service, options) =>
      service.digests({ from: name, digests }, options),
    );
    if (differing === null) return false;
    for (let first = 0; first < differing.buckets.length; first += BUCKETS_AT_ONCE) {
      if (!(await this.#equalize(peer, differing.buckets.slice(first, first + BUCKETS_AT_ONCE)))) return false;
    }
    return true;
  }

  async #equalize(peer: Peer, numbers: readonly number[]): Promise<boolean> {
    const { name, group, replica, absorb } = this.#parts;
    const buckets = numbers.map((bucket) => [bucket, replica.summary(bucket)] as const);
    const compared = await group.ask(peer, 'quorum', (service, options) =>
      service.compare({ from: name, buckets }, options),
    );
    if (compared === null || !(await fetchEntries(group, peer, compared.newer, absorb))) return false;
    const wanted = compared.wanted.flatMap((key) => {
      const entry = replica.entryOf(key);
      return entry === undefined ? [] : [{ key, entry }];
    });
    for (const entries of inParts(wanted, bytesOf, MOST_MESSAGE_BYTES)) {
      const given = await group.ask(peer, 'quorum', (service, options) => service.give({ entries }, options));
      if (given === null) return false;
    }
    return true;
  }
}
