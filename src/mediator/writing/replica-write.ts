// One attempt to store new versions on the replicas: sends them to all that
// can be reached, votes on the hashes they answer, and gives whole blocks to
// those whose base was bad. Says who holds everything and who lacks something.
import { FileError } from '../../protocol/errors.js';
import { hashBlock } from '../../protocol/values/hash.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Replica } from '../replicas/replica.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import type { MediatorSettings } from '../settings.js';
import { type Ballot, vote } from '../voting/vote.js';
import type { BaseRepair } from './base-repair.js';
import type { Leftovers } from './leftovers.js';
import { type BlockState, holds, type PreparedBlock, type PutMessage, putMessages } from './put-messages.js';
import { renderBlock } from './write-plan.js';

/** To one server. A heartbeat waits behind their bytes, and must be answered well within its deadline. */
const MESSAGES_IN_FLIGHT = 4;
/** Once enough servers have answered, the others get this long, or a multiple of the time those took, to answer too. */
const STRAGGLER_MINIMUM_MS = 50;
const STRAGGLER_FACTOR = 8;
/** Storing ends with a disk flush, which may take longer than what the deadline is for. */
const PUT_DEADLINE_FACTOR = 2;

/** What all of them share. */
export interface ReplicaWriteParts {
  leftovers: Leftovers;
  baseRepair: BaseRepair;
  replicas: ReplicaSet;
  settings: MediatorSettings;
  /** Of a data server. */
  deadlineMs: number;
  runtime: Runtime;
}

export class ReplicaWrite {
  #states: BlockState[] = [];
  /** The replicas to which it is sent. */
  #targets: Replica[] = [];
  #isUnanswered = false;

  readonly #parts: ReplicaWriteParts;

  constructor(parts: ReplicaWriteParts) {
    this.#parts = parts;
  }

  /**
   * Stores all blocks durably on at least Qw servers and fills in their hashes.
   * @returns names of the configured servers that lack any of them
   * @throws FileError EIO with too few servers or no quorum on a base, ENOSPC when servers are full
   */
  async store(inode: number, prepared: readonly PreparedBlock[]): Promise<string[]> {
    if (prepared.length === 0) return [];
    this.#states = prepared.map((block) => {
      const rendered = block.plan.whole ? renderBlock(block.plan, new Uint8Array(0)) : null;
      const key = { inode, index: block.plan.index, version: block.version };
      return { block, key, rendered, results: new Map(), incomplete: new Set() };
    });
    this.#targets = this.#parts.replicas.reachable();
    const messages = putMessages(this.#states, false);
    const sending = this.#targets.map((replica) => this.#send(replica, messages));
    // Whole blocks are hashed here while the messages are on their way.
    for (const { block, rendered } of this.#states) if (rendered !== null) block.hash = hashBlock(rendered);
    await this.#untilEnough(sending);
    for (const state of this.#states) await this.#settle(state);
    return this.#missing();
  }

  /** Whether a server to which it was sent did not answer. */
  get isUnanswered(): boolean {
    return this.#isUnanswered;
  }

  /** Has the new versions deleted again, in the background. */
  takeBack(): void {
    this.#parts.leftovers.takeBack(
      this.#targets,
      this.#states.map(({ key }) => key),
    );
  }

  /** Never rejects: a replica that does not answer has no results. */
  async #send(replica: Replica, messages: readonly PutMessage[]): Promise<void> {
    try {
      const [first] = messages;
      if (first !== undefined && messages.length === 1) await this.#sendOne(replica, first);
      else await this.#sendSeveral(replica, messages);
    } catch (error) {
      this.#isUnanswered = true;
      this.#parts.runtime.log.warn('write.unanswered', { server: replica.name, ...errorFields(error) });
    }
  }

  /** Sends no further ones after one has failed. */
  async #sendSeveral(replica: Replica, messages: readonly PutMessage[]): Promise<void> {
    let next = 0;
    const sender = async (): Promise<void> => {
      for (let message = messages[next++]; message !== undefined; message = messages[next++]) {
        await this.#sendOne(replica, message);
      }
    };
    const senders = Math.min(messages.length, MESSAGES_IN_FLIGHT);
    try {
      await Promise.all(Array.from({ length: senders }, sender));
    } finally {
      next = messages.length;
    }
  }

  async #sendOne(replica: Replica, { states, request }: PutMessage): Promise<void> {
    const options = { deadlineMs: this.#parts.deadlineMs * PUT_DEADLINE_FACTOR };
    const { results } = await replica.call(() => replica.blocks.put(request, options));
    for (const [position, { results: known, incomplete }] of states.entries()) {
      const result = results[position];
      if (result?.state === 'no-base' && replica.state !== 'up') incomplete.add(replica);
      if (result !== undefined) known.set(replica, result);
    }
  }

  /** Resolves when all have answered, or enough have and the time for the rest is over. */
  #untilEnough(sending: readonly Promise<void>[]): Promise<void> {
    return new Promise((resolve) => {
      if (sending.length === 0) resolve();
      const { clock } = this.#parts.runtime;
      const startMs = clock.monotonicMs();
      let ended = 0;
      let timer: { cancel(): void } | null = null;
      for (const each of sending) {
        void each.then(() => {
          ended++;
          if (ended === sending.length) {
            timer?.cancel();
            resolve();
            return;
          }
          const holders = this.#targets.filter((replica) => this.#answeredAll(replica)).length;
          if (timer === null && holders >= this.#parts.settings.writeQuorum) {
            const usualMs = clock.monotonicMs() - startMs;
            timer = clock.after(Math.max(STRAGGLER_MINIMUM_MS, usualMs * STRAGGLER_FACTOR), resolve);
          }
        });
      }
    });
  }

  #answeredAll(replica: Replica): boolean {
    return this.#states.every(({ results }) => results.has(replica));
  }

  /** Makes sure that Qw replicas hold a block's new version, with equal content. */
  async #settle(state: BlockState): Promise<void> {
    const { block, results } = state;
    if (block.hash === null) {
      const ballots = [...results.values()].map(
        (result): Ballot =>
          result.state === 'stored'
            ? { state: 'present', hash: result.hash, length: block.plan.length }
            : { state: 'absent' },
      );
      const verdict = vote(ballots, 0, this.#parts.settings.readQuorum, null);
      if (verdict.outcome === 'agreed') block.hash = verdict.hash;
      else await this.#parts.baseRepair.renderFromBase(state);
    }
    const bad = [...results.keys()].filter((replica) => !holds(state, replica));
    const needsWhole = bad.filter((replica) => results.get(replica)?.state !== 'full');
    if (needsWhole.length > 0) await this.#putWhole(state, needsWhole);
    const holders = [...results.keys()].filter((replica) => holds(state, replica)).length;
    if (holders >= this.#parts.settings.writeQuorum) return;
    const isFull = [...results.values()].some((result) => result.state === 'full');
    const message = `${holders} data servers stored block ${block.plan.index}, a write needs ${this.#parts.settings.writeQuorum}`;
    throw new FileError(isFull ? 'ENOSPC' : 'EIO', message);
  }

  /** Puts the whole block on replicas that could not make it from their base. */
  async #putWhole(state: BlockState, replicas: readonly Replica[]): Promise<void> {
    const { baseRepair } = this.#parts;
    state.rendered ??= await baseRepair.fetchResult(state);
    if (state.rendered === null) return;
    const answers = new Map(replicas.map((replica) => [replica, state.results.get(replica)?.state]));
    const messages = putMessages([state], true);
    await Promise.all(replicas.map((replica) => this.#send(replica, messages)));
    for (const [replica, answer] of answers) {
      if (holds(state, replica)) await baseRepair.record(state, replica, answer);
    }
  }

  #missing(): string[] {
    return this.#parts.replicas.replicas
      .filter((replica) => !this.#states.every((state) => holds(state, replica)))
      .map((replica) => replica.name);
  }
}
