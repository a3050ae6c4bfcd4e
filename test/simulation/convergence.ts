// The liveness phase: after the last fault everything must come back by
// itself, be readable, and equal on all replicas, with nothing left over.
import type { MetadataService } from '../../src/protocol/services/metadata.js';
import { LONGEST_WAIT_MS, SESSION_GRACE_MS } from '../../src/protocol/services/sessions.js';
import { formatHash } from '../../src/protocol/values/hash.js';
import type { DataHost, SimulatedCluster } from './cluster.js';
import { type CurrentBlock, currentBlocks, unlessLost } from './inspector.js';
import { Contradiction } from './model/file-history.js';
import { versionKey } from './version-key.js';
import type { Stage } from './workload/last-act.js';
import type { Workload } from './workload/workload.js';
import type { Host } from './world/host.js';
import type { Scheduler } from './world/scheduler.js';

export interface ConvergenceOptions {
  /** Every byte must be readable; false after faults that nothing promises to survive. */
  mustBeComplete: boolean;
  until(done: () => boolean, limitMs: number, words: string): Promise<void>;
  killMediator(): void;
  /** For longer than its session lives. */
  stopClient(host: Host): void;
  complete<T>(work: () => Promise<T>, limitMs: number, words: string): Promise<T>;
}

/** Virtual time that everything together may take to come back; a rebuild is small here. */
const COME_BACK_MS = 60_000;
const POLL_MS = 250;
/** Within this an idle server is asked whether it still answers, and is let in again. */
const NOTICE_MS = 5000;
/** After so long the session of a client that is stopped is over: it may have waited for an answer just before. */
const SESSION_OVER_MS = SESSION_GRACE_MS + LONGEST_WAIT_MS + 500;
const LIST_ENTRIES = 4000;

export class Convergence {
  readonly #cluster: SimulatedCluster;
  readonly #scheduler: Scheduler;
  readonly #workload: Workload;
  readonly #options: ConvergenceOptions;

  constructor(cluster: SimulatedCluster, scheduler: Scheduler, workload: Workload, options: ConvergenceOptions) {
    this.#cluster = cluster;
    this.#scheduler = scheduler;
    this.#workload = workload;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { until } = this.#options;
    await until(() => this.#workload.isIdle, COME_BACK_MS, 'a request got no answer');
    await until(() => this.#cluster.hosts.every((host) => host.isReady), COME_BACK_MS, 'a server did not start');
    await this.#eventually(
      async () => ((await this.#workload.areAllConnected()) ? null : 'a client'),
      'not all could connect again',
    );
    await until(() => this.#settled(), COME_BACK_MS, 'requests did not settle');
    await this.#options.complete(() => this.#workload.closeEverything(), COME_BACK_MS, 'locks were not given up');
    if (!this.#options.mustBeComplete) return this.#readBack();
    await this.#eventually(() => this.#servers(), 'not all data servers came back');
    // A server that lost its power without a word is thought to be up until it does not answer.
    await this.#scheduler.run(this.#scheduler.nowUs + NOTICE_MS * 1000);
    await this.#eventually(() => this.#servers(), 'not all data servers came back');
    await this.#readBack();
    await this.#options.complete(() => this.#workload.lastAct(this.#stage), COME_BACK_MS, 'the last act did not end');
    await this.#eventually(() => this.#servers(), 'not all data servers came back');
    await this.#scrub();
    await this.#eventually(() => this.#leftovers(), 'something was left over');
    await this.#eventually(() => this.#differences(), 'the replicas did not become equal');
    await this.#readBack();
  }

  get #stage(): Stage {
    const { clients } = this.#cluster;
    const pass = (durationMs: number) =>
      new Promise<void>((resolve) => this.#scheduler.after(durationMs * 1000, () => resolve()));
    return {
      pass,
      restartMediator: async () => {
        const last = this.#cluster.lastActive?.host;
        this.#options.killMediator();
        last?.start();
        while (this.#cluster.mediator === null || last?.isReady !== true || !(await this.#workload.areAllConnected()))
          await pass(POLL_MS);
      },
      stopClient: async (name) => {
        const host = clients.find((client) => client.name === name)?.host;
        if (host !== undefined) this.#options.stopClient(host);
        await pass(SESSION_OVER_MS);
      },
    };
  }

  #settled(): boolean {
    this.#workload.settle();
    return !this.#workload.hasCutOff;
  }

  async #readBack(): Promise<void> {
    const { answers } = this.#workload;
    const before = answers.refused + answers.unknown;
    await this.#options.complete(() => this.#workload.readEverything(), COME_BACK_MS, 'not everything could be read');
    if (this.#options.mustBeComplete && answers.refused + answers.unknown > before) {
      throw new Contradiction('after the faults, not everything could be read');
    }
  }

  /** Waits until `problem` answers null. */
  async #eventually(problem: () => Promise<string | null>, words: string): Promise<void> {
    const endUs = this.#scheduler.nowUs + COME_BACK_MS * 1000;
    for (;;) {
      const found = await this.#options.complete(problem, COME_BACK_MS, words);
      if (found === null) return;
      if (this.#scheduler.nowUs >= endUs) throw new Contradiction(`${words}: ${found}`);
      await this.#scheduler.run(this.#scheduler.nowUs + POLL_MS * 1000);
    }
  }

  async #servers(): Promise<string | null> {
    const { mediator } = this.#cluster;
    if (mediator === null) return 'there is no mediator';
    const { dataservers } = await mediator.admin.status({});
    const away = dataservers.filter(({ state }) => state !== 'up');
    return away.length === 0 ? null : away.map(({ name, state }) => `${name} is ${state}`).join(', ');
  }

  async #scrub(): Promise<void> {
    const { mediator } = this.#cluster;
    if (mediator === null) throw new Contradiction('there is no mediator to scrub');
    await this.#options.complete(() => mediator.admin.scrub({}), COME_BACK_MS, 'the scrub did not start');
    await this.#eventually(async () => {
      const progress = await mediator.admin.scrubProgress({});
      return progress.running ? `the scrub is at ${progress.done} of ${progress.total}` : null;
    }, 'the scrub did not end');
    const { unreadable } = await mediator.admin.scrubProgress({});
    if (unreadable > 0) throw new Contradiction(`the scrub found ${unreadable} unreadable blocks`);
  }

  async #leftovers(): Promise<string | null> {
    const { metadata } = this.#cluster;
    const found = metadata === null ? null : await unlessLost(this.#leftoversOf(metadata));
    return found === null ? 'there is no metaserver' : found === '' ? null : found;
  }

  /** '' when there is nothing. */
  async #leftoversOf(metadata: MetadataService): Promise<string> {
    const { entries } = await metadata.query({ name: 'garbage', request: { after: 0, limit: 5 } });
    if (entries.length > 0) return `garbage of ${entries.map(versionKey).join(', ')}`;
    const { inodes } = await metadata.query({ name: 'orphans', request: { limit: 5 } });
    if (inodes.length > 0) return `orphans ${inodes.join(', ')}`;
    for (const { host } of this.#cluster.dataHosts) {
      const { blocks } = await metadata.query({ name: 'missed', request: { server: host.name, limit: 5 } });
      if (blocks.length > 0) return `${host.name} still misses ${blocks.map(versionKey).join(', ')}`;
    }
    return '';
  }

  /** What keeps the replicas from being equal to the block map and thus to each other. */
  async #differences(): Promise<string | null> {
    const blocks = await currentBlocks(this.#cluster);
    if (blocks === null) return 'there is no metaserver';
    const named = this.#workload.namedInodes();
    const nameless = blocks.find((block) => !named.has(block.inode));
    if (nameless !== undefined) return `block ${versionKey(nameless)} belongs to a file without a name`;
    for (const dataHost of this.#cluster.dataHosts) {
      const problem = await this.#difference(dataHost, blocks);
      if (problem !== null) return `${dataHost.host.name} ${problem}`;
    }
    return null;
  }

  /**
   * The running server is asked, not its disk: what it deleted while the disk was full, and a record whose header has rotted,
   * look otherwise only after the index is lost, and are mended by votes then.
   */
  async #difference({ server }: DataHost, blocks: readonly CurrentBlock[]): Promise<string | null> {
    if (server === null) return 'is not running';
    const { entries } = await server.blocks.list({ limit: LIST_ENTRIES });
    const items = entries.map(({ inode, index, version, length }) => ({
      ...{ inode, index, version, length },
      offset: 0,
      data: false,
    }));
    const { results } = await server.blocks.get({ items });
    const wanted = new Map(blocks.map((block) => [versionKey(block), block]));
    for (const [position, entry] of entries.entries()) {
      const key = versionKey(entry);
      const block = wanted.get(key);
      if (block === undefined) return `holds ${key}, which nobody needs`;
      const result = results[position];
      if (result?.state !== 'present') return `can't read ${key}`;
      if (result.hash !== block.hash) return `has ${formatHash(result.hash)} for ${key}`;
      if (entry.hash !== block.hash) return `lists ${formatHash(entry.hash)} for ${key}`;
      wanted.delete(key);
    }
    const [lacking] = wanted.keys();
    return lacking === undefined ? null : `lacks ${lacking}`;
  }
}
