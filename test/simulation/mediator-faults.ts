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

const LONGEST_CUT_MS = 4000;

interface Rift {
  words: string;
  inner: string[];
  outer: string[];
}

export class MediatorFaults {
  /** When the last active one ended, or another one took over from it. */
  #endedUs = 0;
  /** When the last active one died. */
  #diedUs = 0;
  #leaderEndedUs = 0;

  readonly #cluster: SimulatedCluster;
  readonly #world: World;
  readonly #atlas: Atlas;
  readonly #lasting: LastingFaults;
  /** The active one has ended, and with it what it had answered and not passed on. */
  readonly #answersLost: () => void;

  constructor(cluster: SimulatedCluster, world: World, atlas: Atlas, lasting: LastingFaults, answersLost: () => void) {
    this.#answersLost = answersLost;
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
    const lastUs = Math.max(clearSinceUs, this.#diedUs, this.#leaderEndedUs);
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

  /** A mediator can't reach some of the others, or it and some others can't reach the rest. */
  cutOff(): void {
    const { random, network } = this.#world;
    const { words, inner, outer } = this.#rift(this.#some());
    const pairs = inner.flatMap((one) => outer.map((other) => [one, other] as const));
    for (const [one, other] of pairs) network.cut(one, other);
    const data = this.#cluster.dataHosts.filter(({ host: { name } }) => pairs.some((pair) => pair.includes(name)));
    const concerned = ['way', ...data.map(({ number }) => number)] as const;
    this.#lasting.lasting(words, concerned, random.between(20, LONGEST_CUT_MS), () => {
      const breaks = random.chance(0.3);
      for (const [one, other] of pairs) network.heal(one, other, breaks);
    });
  }

  #rift({ host: { name } }: MediatorHost): Rift {
    const { random } = this.#world;
    const { metaHosts, dataHosts, clients, mediatorHosts } = this.#cluster;
    const from = (others: string, outer: string[]) => ({
      words: `${name} is cut off from ${others}`,
      inner: [name],
      outer,
    });
    const all = namesOf([...metaHosts, ...dataHosts, ...clients, ...mediatorHosts]);
    switch (random.pick(['metaservers', 'data servers', 'clients', 'a client', 'everybody', 'most'] as const)) {
      case 'metaservers':
        return from('the metaservers', namesOf(metaHosts));
      case 'data servers':
        return from('the data servers', namesOf(dataHosts));
      case 'clients':
        return from('the clients', namesOf(clients));
      case 'a client': {
        const client = random.pick(namesOf(clients));
        return from(client, [client]);
      }
      case 'everybody':
        return from(
          'everybody',
          all.filter((other) => other !== name),
        );
      case 'most': {
        const withIt = [
          ...namesOf(clients).filter(() => random.chance(0.5)),
          ...namesOf(dataHosts).filter(() => random.chance(0.3)),
        ];
        const inner = [name, ...withIt];
        const outer = all.filter((other) => !inner.includes(other));
        return { words: `${inner.join(', ')} are cut off from the others`, inner, outer };
      }
    }
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
    const names = namesOf(this.#cluster.mediatorHosts);
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
    if (mediator !== this.#cluster.lastActive) return;
    if (this.#cluster.shape.answersEarly) this.#answersLost();
    this.#diedUs = this.#world.scheduler.nowUs;
    this.#endedUs = this.#diedUs;
  }
}

function namesOf(hosts: readonly { host: Host }[]): string[] {
  return hosts.map(({ host }) => host.name);
}
