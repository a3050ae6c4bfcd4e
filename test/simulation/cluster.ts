// The real servers on simulated hosts: metaservers, data servers, mediators, and
// clients that call the active one, all over the real transport code.
import type { Dataserver } from '../../src/dataserver/dataserver.js';
import { openDataserver } from '../../src/dataserver/dataserver.js';
import type { IndexFactory } from '../../src/dataserver/index/index-store.js';
import { memoryIndexFactory } from '../../src/dataserver/index/memory-index.js';
import type { Mediator } from '../../src/mediator/mediator.js';
import { serve } from '../../src/protocol/http/server.js';
import type { MetadataService } from '../../src/protocol/services/metadata.js';
import { AnswerWatch } from './answer-watch.js';
import type { BallotWatch } from './ballots.js';
import { type ConnectedClient, connectClient } from './clients.js';
import type { ClusterShape, Sabotage } from './cluster-shape.js';
import { DeletionWatch } from './deletions.js';
import { FenceWatch } from './fence-watch.js';
import { MediatorHost } from './mediator-host.js';
import { MetaHost } from './meta-host.js';
import { Host, type World } from './world/host.js';

export const STORE_DIRECTORY = '/store';

/** Two neighbouring blocks of the simulation's usual size are enough to be read past the cache. */
const DIRECT_BYTES = 16 * 1024;

/** One data server's host, and what must be known of it from outside. */
export class DataHost {
  readonly host: Host;
  server: Dataserver | null = null;
  readonly deletions = new DeletionWatch();
  #index: IndexFactory = memoryIndexFactory();

  constructor(
    readonly number: number,
    shape: ClusterShape,
    world: World,
    sabotage: Sabotage,
    ballots: BallotWatch,
    violation: (message: string) => void,
  ) {
    const name = `data${number}`;
    this.host = new Host(name, world, {
      start: async (runtime) => {
        const exits = { terminate: () => this.host.kill(), restart: () => this.host.kill() };
        const server = await openDataserver(
          {
            name,
            number,
            directory: STORE_DIRECTORY,
            testHooks: true,
            segmentBytes: shape.segmentBytes,
            directReadBytes: DIRECT_BYTES,
            directAppendBytes: DIRECT_BYTES,
          },
          runtime,
          this.#index,
          exits,
        );
        const problem = await this.deletions.problemOf(server.blocks);
        if (problem !== null) violation(`${name}: ${problem}`);
        const blocks = ballots.over(number, this.deletions.over(sabotage.blocks?.(server.blocks) ?? server.blocks));
        const fences = new FenceWatch((what) => violation(`${name} ${what}`));
        const services = { blocks: fences.over(blocks), hooks: server.hooks };
        await serve({ address: `${name}:1`, services }, runtime);
        this.server = server;
      },
      ended: (power) => {
        this.server = null;
        if (power) this.deletions.powerLost();
        // A process that dies leaves its index behind, unless it is thrown away as a damaged one would be.
        if (power || world.random.chance(0.3)) this.#index = memoryIndexFactory();
      },
    });
  }

  /** An empty disk takes the place of the old one. The process must be gone. */
  wipe(): void {
    this.host.platter.wipe();
    this.deletions.spoil();
    this.#index = memoryIndexFactory();
  }
}

export class SimulatedCluster {
  readonly metaHosts: readonly MetaHost[];
  readonly mediatorHosts: readonly MediatorHost[];
  readonly dataHosts: readonly DataHost[];
  /** The mediator that has taken over last, or the only one; null before. */
  lastActive: MediatorHost | null = null;
  readonly clients: readonly ConnectedClient[];
  #successions = 0;

  constructor(
    readonly shape: ClusterShape,
    world: World,
    sabotage: Sabotage,
    ballots: BallotWatch,
    violation: (message: string) => void,
  ) {
    this.metaHosts = Array.from(
      { length: shape.metaservers },
      (_, at) => new MetaHost(at + 1, shape, sabotage.metadata, world),
    );
    this.dataHosts = Array.from(
      { length: shape.servers },
      (_, at) => new DataHost(at + 1, shape, world, sabotage, ballots, violation),
    );
    const mediators = Array.from({ length: shape.mediators }, (_, at) => `mediator${at + 1}`);
    const around = { mediators, metaservers: namesOf(this.metaHosts), dataservers: namesOf(this.dataHosts) };
    this.mediatorHosts = mediators.map((name) => new MediatorHost(name, shape, world, sabotage, around));
    const succession = () => ({ count: this.#successions, last: this.lastActive?.host.name ?? '' });
    const answers = new AnswerWatch(succession, violation);
    this.clients = Array.from({ length: shape.clients }, (_, at) =>
      connectClient(`client${at + 1}`, mediators, answers, world, sabotage.files, shape.answersEarly),
    );
  }

  get hosts(): readonly Host[] {
    const servers = [...this.metaHosts, ...this.dataHosts];
    return [...servers, ...this.mediatorHosts].map(({ host }) => host);
  }

  /** The active one, for looking at from outside. */
  get mediator(): Mediator | null {
    return this.lastActive?.active ?? null;
  }

  /** The namespace as whoever leads has it; null while nobody does. */
  get metadata(): MetadataService | null {
    return this.metaHosts.find(({ isServing }) => isServing)?.server?.host.metadata ?? null;
  }

  tookOver(name: string): void {
    this.#successions++;
    this.lastActive = this.mediatorHosts.find(({ host }) => host.name === name) ?? null;
  }

  start(): void {
    if (this.mediatorHosts.length === 1) this.tookOver('mediator1');
    for (const host of this.hosts) host.start();
  }
}

function namesOf(hosts: readonly { host: Host }[]): string[] {
  return hosts.map(({ host }) => host.name);
}
