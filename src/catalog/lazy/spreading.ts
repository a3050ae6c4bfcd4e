// Spreads updates to all other servers in the background, soon after they were made, and asks now and then for what was missed.

import type { Peer } from '../../replication/link/peers.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { PeerGroup } from '../peers/peer-group.js';
import { isLarge, type PulledPart } from './pulls.js';
import type { Batch, Replica } from './replica.js';
import { type LazyService, readBatch } from './service.js';
import type { KeyedUpdate } from './update.js';
import { covers, type Vector } from './vector.js';

/** What is made meanwhile goes along. */
const SOON_MS = 10;
/** With nothing to tell, servers compare what they have seen this often. */
const IDLE_MS = 500;

/** A server that has begun to give what is asked for is busy, when it is slow: to begin anew would take longer. */
const PART_DEADLINE_MS = 10_000;

const NOTHING: Batch = { updates: [], since: {}, seen: {} };

export interface SpreadingParts {
  readonly group: PeerGroup<LazyService>;
  readonly replica: Replica;
  readonly absorb: (batch: Batch) => Promise<void>;
  readonly isActive: () => boolean;
  readonly runtime: Runtime;
}

export class Spreading {
  /** What each of the others is known to have seen. */
  readonly #known = new Map<string, Vector>();
  /** Under way, by the name of the server. */
  readonly #pulls = new Map<string, Promise<void>>();
  #timer: Timer | null = null;
  #isSpreading = false;
  /** Something was made while updates were being spread. */
  #isAgain = false;
  #isClosed = false;

  readonly #parts: SpreadingParts;

  constructor(parts: SpreadingParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#schedule(IDLE_MS);
  }

  /** There is something to tell. */
  soon(): void {
    this.#isAgain = true;
    if (!this.#isSpreading) this.#schedule(SOON_MS);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  /** To all that can be reached. */
  async now(): Promise<void> {
    await Promise.all(this.#parts.group.living.map((peer) => this.#tell(peer)));
  }

  /** From all that can be reached, until what was asked for is seen. @returns whether it is */
  async fetch(wanted: Vector): Promise<boolean> {
    const { group, replica } = this.#parts;
    for (const peer of group.living) {
      if (covers(replica.seen, wanted)) break;
      await this.#pull(peer);
    }
    return covers(replica.seen, wanted);
  }

  async #tell(peer: Peer): Promise<void> {
    const { group, replica } = this.#parts;
    // At most twice: the first answer says what the other has seen.
    for (let round = 0; round < 2; round++) {
      const known = this.#known.get(peer.name) ?? {};
      const lacked = replica.since(known);
      // It asks for more than a message takes when it sees, by what it tells itself, that it lacks that.
      const batch = isLarge(lacked.updates) ? NOTHING : lacked;
      const answer = await group.ask(peer, 'lazy', (service, options) => service.push(batch, options));
      if (answer === null) {
        this.#known.delete(peer.name);
        return;
      }
      this.#known.set(peer.name, answer.seen);
      if (!covers(replica.seen, answer.seen)) await this.#pull(peer);
      if (batch === NOTHING || covers(answer.seen, replica.seen)) return;
    }
  }

  /** One at a time from each server: whoever else lacks something waits for the same. */
  #pull(peer: Peer): Promise<void> {
    const known = this.#pulls.get(peer.name);
    if (known !== undefined) return known;
    const pull = this.#pullAll(peer).finally(() => this.#pulls.delete(peer.name));
    this.#pulls.set(peer.name, pull);
    return pull;
  }

  /** What this server lacks and that one has, all at once: a part of it may be seen no sooner than the rest. */
  async #pullAll(peer: Peer): Promise<void> {
    const { group, replica, absorb } = this.#parts;
    const { seen } = replica;
    const updates: KeyedUpdate[] = [];
    for (let rest: number | null = null; ; ) {
      const asked: { seen: Vector; rest: number | null } = { seen, rest };
      const part: PulledPart | null = await group.ask(
        peer,
        'lazy',
        (service, options) => service.pull(asked, options),
        rest === null ? undefined : PART_DEADLINE_MS,
      );
      if (part === null) return;
      const read = readBatch(part);
      updates.push(...read.updates);
      rest = part.rest;
      if (rest === null) return absorb({ ...read, updates });
    }
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed) return;
    this.#timer?.cancel();
    this.#timer = this.#parts.runtime.clock.after(delayMs, () => {
      this.#isSpreading = true;
      this.#isAgain = false;
      (this.#parts.isActive() ? this.now() : Promise.resolve())
        .catch((error: unknown) => {
          rethrowProgramFault(error);
          this.#parts.runtime.log.warn('catalog.not_spread', errorFields(error));
        })
        .finally(() => {
          this.#isSpreading = false;
          this.#schedule(this.#isAgain ? SOON_MS : IDLE_MS);
        });
    });
  }
}
