// One attempt to store new versions on the replicas: sends them to all that
// can be reached, votes on the hashes they answer, and gives whole blocks to
// those whose base was bad. Says who holds everything and who lacks something.
import { FileError } from '../../protocol/errors.js';
import type { BlockKey, BlockService, PutResult, Version } from '../../protocol/services/blocks.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import { type Hash, hashBlock } from '../../protocol/values/hash.js';
import { forMany } from '../../protocol/wire/codec.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Runtime } from '../../runtime/runtime.js';
import { isNamed } from '../metadata/named-versions.js';
import type { Replica } from '../replicas/replica.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import type { MediatorSettings } from '../settings.js';
import { lacksRightly } from '../voting/blame.js';
import type { Reader } from '../voting/reader.js';
import { type Ballot, vote } from '../voting/vote.js';
import type { Leftovers } from './leftovers.js';
import { type BlockPlan, putItem, renderBlock } from './write-plan.js';

/** Bytes of blocks in one message; more go in several. */
const MESSAGE_BYTES = 4 * 1024 * 1024;
/** To one server at a time: what lies before it and a heartbeat must be moved well within a deadline. */
const MESSAGES_IN_FLIGHT = 4;
/** Once enough servers have answered, the others get this long, or a multiple of the usual time, to answer too. */
const STRAGGLER_MINIMUM_MS = 50;
const STRAGGLER_FACTOR = 8;
/** Storing ends with a disk flush, which may take longer than a read. */
const PUT_DEADLINE_FACTOR = 2;

export interface PreparedBlock {
  plan: BlockPlan;
  version: Version;
  /** Of the result; null until it is known: a patch's is what the replicas agree on. */
  hash: Hash | null;
}

interface BlockState {
  block: PreparedBlock;
  key: BlockKey;
  /** The whole content, where it is known here. */
  rendered: Uint8Array | null;
  results: Map<Replica, PutResult>;
  /** They lacked the base while they were being rebuilt, which is no dissent. */
  incomplete: Set<Replica>;
}

/** One put of some of the blocks, the same for all who get it. */
interface Message {
  states: readonly BlockState[];
  request: Parameters<BlockService['put']>[0];
}

export class ReplicaWrite {
  #states: BlockState[] = [];
  #targets: Replica[] = [];
  #isUnanswered = false;

  readonly #metadata: MetadataService;
  readonly #leftovers: Leftovers;
  readonly #replicas: ReplicaSet;
  readonly #reader: Reader;
  readonly #settings: MediatorSettings;
  readonly #deadlineMs: number;
  readonly #runtime: Runtime;

  constructor(
    metadata: MetadataService,
    leftovers: Leftovers,
    replicas: ReplicaSet,
    reader: Reader,
    settings: MediatorSettings,
    deadlineMs: number,
    runtime: Runtime,
  ) {
    this.#metadata = metadata;
    this.#leftovers = leftovers;
    this.#replicas = replicas;
    this.#reader = reader;
    this.#settings = settings;
    this.#deadlineMs = deadlineMs;
    this.#runtime = runtime;
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
    this.#targets = this.#replicas.reachable();
    const messages = inMessages(this.#states, false);
    const sending = this.#targets.map((replica) => this.#send(replica, messages));
    // The hash of what is put whole is made here, while the messages are on their way.
    for (const { block, rendered } of this.#states) if (rendered !== null) block.hash = hashBlock(rendered);
    await this.#enough(sending);
    for (const state of this.#states) await this.#settle(state);
    return this.#missing();
  }

  /** A server that could be reached at first has not answered. */
  get isUnanswered(): boolean {
    return this.#isUnanswered;
  }

  /** Takes the new versions away again, in the background. */
  takeBack(): void {
    this.#leftovers.takeBack(
      this.#targets,
      this.#states.map(({ key }) => key),
    );
  }

  /** Never rejects: who has not answered lacks the result. */
  async #send(replica: Replica, messages: readonly Message[]): Promise<void> {
    try {
      const [first] = messages;
      if (first !== undefined && messages.length === 1) await this.#sendOne(replica, first);
      else await this.#sendInTurn(replica, messages);
    } catch (error) {
      this.#isUnanswered = true;
      this.#runtime.log.warn('write.unanswered', { server: replica.name, ...errorFields(error) });
    }
  }

  /** None is sent after one has failed. */
  async #sendInTurn(replica: Replica, messages: readonly Message[]): Promise<void> {
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

  async #sendOne(replica: Replica, { states, request }: Message): Promise<void> {
    const options = { deadlineMs: this.#deadlineMs * PUT_DEADLINE_FACTOR };
    const { results } = await replica.call(() => replica.blocks.put(request, options));
    for (const [position, { results: known, incomplete }] of states.entries()) {
      const result = results[position];
      if (result?.state === 'no-base' && replica.state !== 'up') incomplete.add(replica);
      if (result !== undefined) known.set(replica, result);
    }
  }

  /** Resolves when all have answered, or enough have and the rest has had its time. */
  #enough(sending: readonly Promise<void>[]): Promise<void> {
    return new Promise((resolve) => {
      if (sending.length === 0) resolve();
      const startMs = this.#runtime.clock.monotonicMs();
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
          if (timer === null && holders >= this.#settings.writeQuorum) {
            const usualMs = this.#runtime.clock.monotonicMs() - startMs;
            timer = this.#runtime.clock.after(Math.max(STRAGGLER_MINIMUM_MS, usualMs * STRAGGLER_FACTOR), resolve);
          }
        });
      }
    });
  }

  #answeredAll(replica: Replica): boolean {
    return this.#states.every(({ results }) => results.has(replica));
  }

  /** Makes sure that a block's new version is on Qw replicas, all the same. */
  async #settle(state: BlockState): Promise<void> {
    const { block, results } = state;
    if (block.hash === null) {
      const ballots = [...results.values()].map(
        (result): Ballot =>
          result.state === 'stored'
            ? { state: 'present', hash: result.hash, length: block.plan.length }
            : { state: 'absent' },
      );
      const verdict = vote(ballots, 0, this.#settings.readQuorum, null);
      if (verdict.outcome === 'agreed') block.hash = verdict.hash;
      else await this.#renderFromBase(state);
    }
    const bad = [...results.keys()].filter((replica) => !this.#holds(state, replica));
    const needsWhole = bad.filter((replica) => results.get(replica)?.state !== 'full');
    if (needsWhole.length > 0) {
      state.rendered ??= await this.#fetch(state);
      const answers = new Map(needsWhole.map((replica) => [replica, results.get(replica)?.state]));
      if (state.rendered !== null) {
        const messages = inMessages([state], true);
        await Promise.all(needsWhole.map((replica) => this.#send(replica, messages)));
      }
      for (const [replica, answer] of answers) {
        if (this.#holds(state, replica)) await this.#repaired(state, replica, answer);
      }
    }
    const holders = [...results.keys()].filter((replica) => this.#holds(state, replica)).length;
    if (holders >= this.#settings.writeQuorum) return;
    const isFull = [...results.values()].some((result) => result.state === 'full');
    const message = `${holders} data servers stored block ${block.plan.index}, a write needs ${this.#settings.writeQuorum}`;
    throw new FileError(isFull ? 'ENOSPC' : 'EIO', message);
  }

  #holds({ block, results }: BlockState, replica: Replica): boolean {
    const result = results.get(replica);
    return result?.state === 'stored' && result.hash === block.hash;
  }

  /** @param answer to the patch that it could not carry out */
  async #repaired(state: BlockState, replica: Replica, answer: PutResult['state'] | undefined): Promise<void> {
    const { key, block } = state;
    const fields = { inode: key.inode, index: key.index, version: block.plan.base?.version, server: replica.name };
    if (!(answer === 'no-base' && (await this.#isExcused(state, replica)))) {
      replica.dissents++;
      this.#runtime.log.warn('vote.dissent', { ...fields, ballot: 'base of a write' });
    }
    replica.repairs++;
    this.#runtime.log.info('repair.done', fields);
  }

  /**
   * Whether a replica need not have a block's base: it is being rebuilt, it was away when that was stored, or another writer has
   * replaced it.
   */
  async #isExcused({ key, block, incomplete }: BlockState, replica: Replica): Promise<boolean> {
    const { base } = block.plan;
    if (base === null || incomplete.has(replica)) return true;
    const version = { ...key, version: base.version };
    return (await lacksRightly(this.#metadata, version, replica)) || !(await isNamed(this.#metadata, version));
  }

  /** Too few could patch their own base: the base is read by vote and patched here. */
  async #renderFromBase(state: BlockState): Promise<void> {
    const { plan } = state.block;
    if (plan.base === null) throw new Error('a patch has a base');
    const whole = { inode: state.key.inode, reference: plan.base, offset: 0, length: plan.base.length };
    const [outcome] = (await this.#reader.read([whole])).outcomes;
    if (outcome === undefined || outcome.data === null) {
      throw new FileError('EIO', `block ${plan.index}: no quorum on what is there, so a part of it can't be replaced`);
    }
    state.rendered = renderBlock(plan, outcome.data);
    state.block.hash = hashBlock(state.rendered);
  }

  /** The whole new content from a replica that holds it; null when none can send it. */
  async #fetch(state: BlockState): Promise<Uint8Array | null> {
    for (const replica of state.results.keys()) {
      if (!this.#holds(state, replica)) continue;
      const item = { ...state.key, offset: 0, length: state.block.plan.length, data: true };
      try {
        const { results } = await replica.call(() => replica.blocks.get({ items: [item] }));
        const result = results[0];
        if (result?.state === 'present' && result.data !== undefined && hashBlock(result.data) === state.block.hash) {
          return result.data;
        }
      } catch (error) {
        this.#runtime.log.warn('write.unanswered', { server: replica.name, ...errorFields(error) });
      }
    }
    return null;
  }

  #missing(): string[] {
    return this.#replicas.replicas
      .filter((replica) => !this.#states.every((state) => this.#holds(state, replica)))
      .map((replica) => replica.name);
  }
}

function inMessages(states: readonly BlockState[], replace: boolean): Message[] {
  const groups: BlockState[][] = [];
  let bytes = MESSAGE_BYTES;
  for (const state of states) {
    const size = state.block.plan.length;
    if (bytes + size > MESSAGE_BYTES) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(state);
    bytes += size;
  }
  return groups.map((group) => {
    const items = group.map(({ block, key, rendered }) => putItem(block.plan, key.inode, key.version, rendered));
    return { states: group, request: forMany({ items, durable: true, replace }) };
  });
}
