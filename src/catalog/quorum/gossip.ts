// Servers compare what they hold, two by two, by turns: after as many rounds as there are others, all that stood still is equal.
import type { Peer } from '../../replication/link/peers.js';
import type { PeerGroup } from '../peers/peer-group.js';
import type { KeyedEntry, Replica } from './replica.js';
import type { QuorumService } from './service.js';

/** Of the entries of one message. */
const MOST_BYTES = 4 * 1024 * 1024;

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
    const { name, group, replica, absorb } = this.#parts;
    const summary = replica.summary();
    const compared = await group.ask(peer, 'quorum', (service, options) =>
      service.compare({ from: name, summary }, options),
    );
    if (compared === null) return false;
    await absorb(compared.newer);
    const entries = compared.wanted.flatMap((key) => {
      const entry = replica.entryOf(key);
      return entry === undefined ? [] : [{ key, entry }];
    });
    for (const batch of batchesOf(entries)) {
      const given = await group.ask(peer, 'quorum', (service, options) => service.give({ entries: batch }, options));
      if (given === null) return false;
    }
    return true;
  }
}

function* batchesOf(entries: readonly KeyedEntry[]): Generator<KeyedEntry[]> {
  let batch: KeyedEntry[] = [];
  let bytes = 0;
  for (const keyed of entries) {
    batch.push(keyed);
    bytes += keyed.entry.bytes.length;
    if (bytes < MOST_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}
