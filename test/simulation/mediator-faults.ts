// What goes wrong with mediators: they die, stop, are cut off, and are ended in
// order.
import type { Atlas } from './atlas.js';
import type { SimulatedCluster } from './cluster.js';
import type { LastingFaults } from './lasting-faults.js';
import type { MediatorHost } from './mediator-host.js';
import type { Host, World } from './world/host.js';

const MILLISECOND_US = 1000;
/** Longer than a standby waits for the active one. */
const LONG_STOP_MS = 5000;
/** One that is told to end is killed when it has not ended in this time. */
const END_MS = 5000;
/** Of the time that it takes to find out that the active one is gone, to be replaced, and to serve. */
const REPLACED_MS = 5000;

export class MediatorFaults {
  /** When the last active one ended, or another one took over from it. */
  #endedUs = 0;
  #leaderEndedUs = 0;

  readonly #cluster: SimulatedCluster;
  readonly #world: World;
  readonly #atlas: Atlas;
  readonly #lasting: LastingFaults;

  constructor(cluster: SimulatedCluster, world: World, atlas: Atlas, lasting: LastingFaults) {
    this.#cluster = cluster;
    this.#world = world;
    this.#atlas = atlas;
    this.#lasting = lasting;
  }

  /** When the active mediator last ended: died, or was replaced. What it knew and had not passed on is lost. */
  get endedUs(): number {
    return this.#endedUs;
  }

  tookOver(): void {
    this.#endedUs = this.#world.scheduler.nowUs;
  }

  leaderEnded(): void {
    this.#leaderEndedUs = this.#world.scheduler.nowUs;
  }

  /** Whether another one may take over from this one, which is the active one: something is wrong with it, or was lately. */
  mayBeReplaced({ process }: Host): boolean {
    const { clearSinceUs } = this.#lasting;
    if (process === null || process.isStopped || clearSinceUs === null) return true;
    const lastUs = Math.max(clearSinceUs, this.#leaderEndedUs);
    return this.#world.scheduler.nowUs - lastUs < REPLACED_MS * MILLISECOND_US;
  }

  strike(): void {
    const mediator = this.#some();
    const { host } = mediator;
    const { random } = this.#world;
    const isOnly = this.#cluster.mediatorHosts.length === 1;
    if (random.chance(isOnly ? 0.2 : 0.3)) this.#lasting.stop(host, 'way', isOnly ? undefined : LONG_STOP_MS);
    else if (!isOnly && random.chance(0.3)) this.#endInOrder(mediator);
    else this.#lasting.outage(host, 'way', 'killed', () => this.#end(mediator, random.chance(0.3)));
  }

  /** From metaservers, data servers, clients, or all of them and the other mediators. */
  cutOff(): void {
    const { random, network } = this.#world;
    const { metaHosts, dataHosts, clients, mediatorHosts } = this.#cluster;
    const { host } = this.#some();
    const sides = {
      'the metaservers': metaHosts,
      'the data servers': dataHosts,
      'the clients': clients,
      everybody: [...metaHosts, ...dataHosts, ...clients, ...mediatorHosts.filter((other) => other.host !== host)],
    };
    const side = random.pick(Object.keys(sides) as (keyof typeof sides)[]);
    const ends = sides[side].map((each) => each.host.name);
    for (const end of ends) network.cut(host.name, end);
    const isWithData = side === 'the data servers' || side === 'everybody';
    const concerned = isWithData ? dataHosts.map(({ number }) => number) : [];
    this.#lasting.lasting(
      `${host.name} is cut off from ${side}`,
      ['way', ...concerned],
      random.between(20, 3000),
      () => {
        const breaks = random.chance(0.3);
        for (const end of ends) network.heal(host.name, end, breaks);
      },
    );
  }

  blackout(): void {
    for (const mediator of this.#cluster.mediatorHosts) {
      this.#lasting.outage(mediator.host, 'way', 'without power', () => this.#end(mediator, true));
    }
  }

  killActive(): void {
    const { lastActive } = this.#cluster;
    if (lastActive !== null) this.#end(lastActive, false);
  }

  /** The names of all mediators, or of one of them. */
  someNames(): string[] {
    const { random } = this.#world;
    const names = this.#cluster.mediatorHosts.map(({ host }) => host.name);
    return names.length === 1 || random.chance(0.5) ? names : [random.pick(names)];
  }

  /** Mostly the active one. */
  #some(): MediatorHost {
    const { mediatorHosts, lastActive } = this.#cluster;
    const { random } = this.#world;
    const [only, ...more] = mediatorHosts;
    if (more.length === 0 && only !== undefined) return only;
    return lastActive !== null && random.chance(0.8) ? lastActive : random.pick(mediatorHosts);
  }

  #end(mediator: MediatorHost, power: boolean): void {
    const { host } = mediator;
    if (host.process !== null) this.#ended(mediator);
    if (power) host.cutPower();
    else host.kill();
    this.#atlas.mediatorEnded(host.name);
  }

  /** It resigns, and its process ends by itself. */
  #endInOrder(mediator: MediatorHost): void {
    const { host } = mediator;
    const { process } = host;
    if (process === null || process.isStopped || !host.isReady) return;
    const { random, scheduler } = this.#world;
    let isOver = false;
    const end = () => {
      if (isOver || host.process !== process) return;
      isOver = true;
      this.#end(mediator, false);
    };
    this.#lasting.lasting(`${host.name} is ended in order`, ['way'], random.between(20, 3000) + END_MS, () => {
      end();
      host.start();
    });
    process.after(0, () => void mediator.close().then(end));
    scheduler.after(END_MS * MILLISECOND_US, end);
  }

  #ended(mediator: MediatorHost): void {
    if (mediator === this.#cluster.lastActive) this.#endedUs = this.#world.scheduler.nowUs;
  }
}
