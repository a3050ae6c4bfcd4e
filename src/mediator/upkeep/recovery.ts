// Recovery of replicas: a blank one gets every block (rebuild), one that was
// away gets what it missed (catch-up). Both put only what won a vote, in the
// background, a few blocks at a time, so that they slow no reader or writer.
import type { MetadataService } from '../../protocol/services/metadata.js';
import { sleep } from '../../runtime/clock.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Counters } from '../counters.js';
import type { Replica } from '../replicas/replica.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import { recordRecovered } from '../replicas/vote-record.js';
import { Background, type NextRunMs } from './background.js';
import type { LocatedBlock, Repairer } from './repair.js';

const BATCH_BLOCKS = 32;
/** A pause after each batch, in which the servers are free for others. */
const PAUSE_MS = 2;
/** How long until blocks that had no quorum, or that the server refused, are tried again. */
const RETRY_MS = 5000;
/** How long until the next look by itself: nobody reports what a commit left to catch up on when its answer was lost. */
const IDLE_MS = 30_000;
const PROGRESS_LOG_BLOCKS = 1024;

interface Dependencies {
  metadata: MetadataService;
  replicas: ReplicaSet;
  repairer: Repairer;
  counters: Counters;
  runtime: Runtime;
}

/**
 * How far the pass of a rebuild over all blocks has come. It is kept when the pass is interrupted, since a server is noted to have
 * missed what is committed behind this place meanwhile, and catches up on it.
 */
interface Place {
  /** The store that is being rebuilt. */
  storeId: string | undefined;
  /** The last block that was looked at; undefined: none. */
  after: { inode: number; index: number } | undefined;
  done: number;
  /** Blocks up to here that the store still lacks. */
  lacking: number;
}

export class Recovery {
  readonly #tasks = new Map<Replica, Background>();
  /** Of rebuilds that are under way or interrupted. */
  readonly #places = new Map<Replica, Place>();

  readonly #metadata: MetadataService;
  readonly #replicas: ReplicaSet;
  readonly #repairer: Repairer;
  readonly #counters: Counters;
  readonly #runtime: Runtime;

  constructor({ metadata, replicas, repairer, counters, runtime }: Dependencies) {
    this.#metadata = metadata;
    this.#replicas = replicas;
    this.#repairer = repairer;
    this.#counters = counters;
    this.#runtime = runtime;
    for (const replica of replicas.replicas) {
      this.#tasks.set(replica, new Background('recovery', () => this.#recover(replica), runtime));
    }
    replicas.onChange((replica) => {
      if (replica.reachable) this.#tasks.get(replica)?.wake();
    });
  }

  /** Looks now what servers have missed: some write left a server out, or the mediator has just started. */
  wake(): void {
    for (const task of this.#tasks.values()) task.wake();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#tasks.values()].map((task) => task.close()));
  }

  async #recover(replica: Replica): Promise<NextRunMs> {
    if (!replica.reachable) return null;
    if (replica.state === 'blank') {
      this.#places.delete(replica);
      replica.state = 'rebuilding';
    }
    if (replica.state === 'rebuilding' && !(await this.#rebuild(replica))) return replica.reachable ? RETRY_MS : null;
    return this.#catchUp(replica);
  }

  /** A pass over all blocks, from where the last one was interrupted; true when the replica holds them all afterwards. */
  async #rebuild(replica: Replica): Promise<boolean> {
    const { blocks: total } = await this.#metadata.query({ name: 'statistics', request: {} });
    const place = this.#placeOf(replica, total);
    const report = (): void => {
      replica.rebuild = { done: place.done, total: Math.max(total, place.done) };
    };
    report();
    let logged = place.done;
    for (;;) {
      const page = await this.#metadata.query({
        name: 'allBlocks',
        request: place.after === undefined ? { limit: BATCH_BLOCKS } : { after: place.after, limit: BATCH_BLOCKS },
      });
      if (!this.#isRebuilding(replica, place)) return false;
      const lacking = await this.#fill(replica, page.blocks);
      // It would refuse all the others, too: the next attempt offers it the same page again.
      if (this.#repairer.takesNothing(replica)) return false;
      const last = page.blocks.at(-1);
      if (last !== undefined) place.after = { inode: last.inode, index: last.index };
      // Single blocks that it has refused wait for the next pass, so that this one comes to its end.
      place.lacking += lacking;
      place.done += page.blocks.length;
      report();
      this.#counters.add('rebuiltBlocks', page.blocks.length);
      if (place.done - logged >= PROGRESS_LOG_BLOCKS || page.done) {
        logged = place.done;
        this.#runtime.log.info('rebuild.progress', { server: replica.name, ...replica.rebuild });
      }
      if (!this.#isRebuilding(replica, place)) return false;
      if (page.done) break;
      await sleep(this.#runtime.clock, PAUSE_MS);
    }
    this.#places.delete(replica);
    if (place.lacking > 0) {
      replica.rebuild = { done: place.done - place.lacking, total: Math.max(total, place.done) };
      this.#runtime.log.warn('rebuild.incomplete', { server: replica.name, lacking: place.lacking });
      return false;
    }
    await this.#replicas.markComplete(replica);
    this.#runtime.log.info('rebuild.done', { server: replica.name, total: replica.rebuild?.total ?? total });
    return true;
  }

  /** @param total the number of all blocks, for the log */
  #placeOf(replica: Replica, total: number): Place {
    const storeId = replica.store?.storeId;
    let place = this.#places.get(replica);
    if (place === undefined || place.storeId !== storeId) {
      place = { storeId, after: undefined, done: 0, lacking: 0 };
      this.#places.set(replica, place);
      this.#runtime.log.info('rebuild.started', { server: replica.name, total });
    }
    return place;
  }

  /** Whether the replica is up with the store that is being rebuilt: it may have come back blank. */
  #isRebuilding(replica: Replica, { storeId }: Place): boolean {
    const isClosed = this.#tasks.get(replica)?.closed !== false;
    return !isClosed && replica.state === 'rebuilding' && replica.store?.storeId === storeId;
  }

  /** Puts those of these versions on the replica that it lacks. Returns how many it still lacks afterwards. */
  async #fill(replica: Replica, blocks: readonly LocatedBlock[]): Promise<number> {
    if (blocks.length === 0) return 0;
    const items = blocks.map(({ inode, index, version }) => ({
      inode,
      index,
      version,
      offset: 0,
      length: 0,
      data: false,
    }));
    const { results } = await replica.call(() => replica.blocks.get({ items }));
    const lacking = blocks.filter((block, position) => {
      const result = results[position];
      return result?.state !== 'present' || result.hash !== block.hash;
    });
    const outcomes = await this.#repairer.repairAll(lacking, [replica]);
    for (const { repaired } of outcomes) for (const each of repaired) recordRecovered(each);
    // A file that was written to or removed meanwhile needs this version no more.
    return outcomes.filter(({ state, holders }) => state !== 'superseded' && !holders.includes(replica)).length;
  }

  async #catchUp(replica: Replica): Promise<NextRunMs> {
    let lacking = 0;
    let after: { inode: number; index: number } | undefined;
    for (;;) {
      const request = { server: replica.name, limit: BATCH_BLOCKS };
      const { blocks } = await this.#metadata.query({
        name: 'missed',
        request: after === undefined ? request : { ...request, after },
      });
      const last = blocks.at(-1);
      if (last === undefined || !replica.reachable || this.#tasks.get(replica)?.closed) break;
      after = { inode: last.inode, index: last.index };
      const still = await this.#fill(replica, blocks);
      lacking += still;
      // It would refuse all the others, too.
      if (this.#repairer.takesNothing(replica)) return replica.reachable ? RETRY_MS : null;
      if (still === 0) {
        await this.#metadata.execute({
          name: 'caughtUp',
          timeNs: this.#runtime.clock.nowNs(),
          request: {
            server: replica.name,
            blocks: blocks.map(({ inode, index, version }) => ({ inode, index, version })),
          },
          durable: true,
        });
        this.#counters.add('caughtUpBlocks', blocks.length);
        this.#runtime.log.info('catchup.progress', { server: replica.name, blocks: blocks.length });
      }
      await sleep(this.#runtime.clock, PAUSE_MS);
    }
    if (!replica.reachable) return null;
    return lacking > 0 ? RETRY_MS : IDLE_MS;
  }
}
