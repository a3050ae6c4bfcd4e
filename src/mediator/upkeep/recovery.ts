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

/** Where a pass over all blocks stands. */
interface Pass {
  after: { inode: number; index: number } | undefined;
  lacking: number;
  logged: number;
  /** The replica has refused a block of the page that comes next; when it does so once more, the pass goes on without. */
  isRetry: boolean;
}

export class Recovery {
  readonly #tasks = new Map<Replica, Background>();
  /** Passes of replicas that refused a repair: they go on where they were. */
  readonly #interrupted = new Map<Replica, Pass>();

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
      // It may have lost what was not synced, or its store.
      this.#interrupted.delete(replica);
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
    if (replica.state === 'blank') replica.state = 'rebuilding';
    if (replica.state === 'rebuilding' && !(await this.#rebuild(replica))) return replica.reachable ? RETRY_MS : null;
    return this.#catchUp(replica);
  }

  /** One pass over all blocks; true when the replica holds them all afterwards. */
  async #rebuild(replica: Replica): Promise<boolean> {
    const { blocks: total } = await this.#metadata.query({ name: 'statistics', request: {} });
    const pass = this.#interrupted.get(replica) ?? { after: undefined, lacking: 0, logged: 0, isRetry: false };
    this.#interrupted.delete(replica);
    const storeId = replica.store?.storeId;
    if (pass.after === undefined || replica.rebuild === null) {
      replica.rebuild = { done: 0, total };
      this.#runtime.log.info('rebuild.started', { server: replica.name, total });
    }
    for (;;) {
      const page = await this.#metadata.query({
        name: 'allBlocks',
        request: pass.after === undefined ? { limit: BATCH_BLOCKS } : { after: pass.after, limit: BATCH_BLOCKS },
      });
      const lacking = await this.#fill(replica, page.blocks);
      const isRefused = this.#repairer.isRefusing(replica) && replica.reachable;
      if (isRefused && !pass.isRetry) {
        this.#interrupted.set(replica, { ...pass, isRetry: true });
        return false;
      }
      pass.isRetry = false;
      pass.lacking += lacking;
      const last = page.blocks.at(-1);
      if (last !== undefined) pass.after = { inode: last.inode, index: last.index };
      replica.rebuild = {
        done: replica.rebuild.done + page.blocks.length,
        total: Math.max(total, replica.rebuild.done + page.blocks.length),
      };
      this.#counters.add('rebuiltBlocks', page.blocks.length);
      if (replica.rebuild.done - pass.logged >= PROGRESS_LOG_BLOCKS || page.done) {
        pass.logged = replica.rebuild.done;
        this.#runtime.log.info('rebuild.progress', { server: replica.name, ...replica.rebuild });
      }
      // A server that was wiped meanwhile is there again with another store.
      if (replica.state !== 'rebuilding' || replica.store?.storeId !== storeId) return false;
      if (this.#tasks.get(replica)?.closed) return false;
      if (page.done) break;
      if (isRefused) {
        this.#interrupted.set(replica, pass);
        return false;
      }
      await sleep(this.#runtime.clock, PAUSE_MS);
    }
    if (pass.lacking > 0) {
      replica.rebuild = { ...replica.rebuild, done: replica.rebuild.done - pass.lacking };
      this.#runtime.log.warn('rebuild.incomplete', { server: replica.name, lacking: pass.lacking });
      return false;
    }
    await this.#replicas.markComplete(replica);
    this.#runtime.log.info('rebuild.done', { server: replica.name, total: replica.rebuild?.total ?? total });
    return true;
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
    const outcomes = await Promise.all(lacking.map((block) => this.#put(replica, block)));
    return outcomes.filter((held) => !held).length;
  }

  /** Whether the replica holds the version afterwards, or need not, since the file was written to or removed meanwhile. */
  async #put(replica: Replica, block: LocatedBlock): Promise<boolean> {
    const { state, holders, repaired } = await this.#repairer.repair(block, [replica]);
    for (const each of repaired) recordRecovered(each);
    return state === 'superseded' || holders.includes(replica);
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
      // What it refuses now, it would refuse of all the others too.
      if (this.#repairer.isRefusing(replica)) return replica.reachable ? RETRY_MS : null;
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
