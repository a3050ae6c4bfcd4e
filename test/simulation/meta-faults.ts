// What goes wrong with metaservers: they die, stop, are cut off, lose their disks, and their logs rot.

import { type Frame, leadingFrames } from '../../src/replication/log/frame.js';
import { decodeHeader, FRAMES_START } from '../../src/replication/log/segment.js';
import type { SimulatedCluster } from './cluster.js';
import type { LastingFaults } from './lasting-faults.js';
import type { MetaHost } from './meta-host.js';
import type { Host, World } from './world/host.js';
import type { PlatterFile } from './world/platter.js';

/** What the state on the disk has already is missed by nobody. */
const LATEST_FRAMES = 8;

interface Concerned {
  /** Names of mediators, at least one. */
  someMediators: () => string[];
  /** Commands that were answered and are not durable may be lost. */
  leaderEnded: () => void;
}

export class MetaFaults {
  readonly #cluster: SimulatedCluster;
  readonly #world: World;
  readonly #lasting: LastingFaults;
  readonly #events: Concerned;

  constructor(cluster: SimulatedCluster, world: World, lasting: LastingFaults, events: Concerned) {
    this.#cluster = cluster;
    this.#world = world;
    this.#lasting = lasting;
    this.#events = events;
  }

  strike(meta: MetaHost): void {
    const { host } = meta;
    if (this.#world.random.chance(0.2)) this.#lasting.stop(host, 'way');
    else this.#lasting.outage(host, 'way', 'killed', () => this.end(meta, this.#world.random.chance(0.5)));
  }

  end({ host, isServing }: MetaHost, power: boolean): void {
    if (host.process !== null && (isServing || this.#cluster.metaHosts.length === 1)) this.#events.leaderEnded();
    if (power) host.cutPower();
    else host.kill();
  }

  strikeLink({ name }: Host): void {
    const { random, network } = this.#world;
    const others = this.#cluster.metaHosts.map(({ host }) => host.name).filter((other) => other !== name);
    const mediators = this.#events.someMediators();
    const ends = random.chance(0.5) ? mediators : random.pick([mediators, ...others.map((other) => [other])]);
    // A server that nobody can reach.
    if (others.length > 0 && random.chance(0.3)) {
      ends.splice(0, ends.length, ...this.#cluster.mediatorHosts.map(({ host }) => host.name), ...others);
    }
    if (random.chance(0.4)) {
      this.#world.note(`fault: the connections of ${name} with ${ends.join(', ')} are lost`);
      this.#lasting.interrupts();
      for (const end of ends) network.breakConnections(end, name);
      return;
    }
    for (const end of ends) network.cut(end, name);
    this.#lasting.lasting(`${name} is cut off from ${ends.join(', ')}`, ['way'], random.between(20, 2000), () => {
      for (const end of ends) network.heal(end, name, random.chance(0.3));
    });
  }

  wipe(meta: MetaHost): void {
    if (!this.#mayLoseOne) return;
    this.#lasting.outage(meta.host, 'way', 'killed, and its disk replaced', () => {
      this.end(meta, false);
      meta.wipe();
    });
  }

  /**
   * A bit of the log flips while the process is gone. Never in what was appended last: a frame at the end that is not whole was never
   * acknowledged, as far as a start can tell.
   */
  rot(meta: MetaHost): void {
    if (!this.#mayLoseOne) return;
    const { random } = this.#world;
    const committed = Math.max(...this.#cluster.metaHosts.map(({ appliedIndex }) => appliedIndex));
    this.#lasting.outage(meta.host, 'way', 'killed, and its log rots', () => {
      this.end(meta, false);
      const frames = framesOf(meta.host);
      const last = Math.max(...frames.map(({ frame }) => frame.number));
      const earlier = frames.filter(({ frame }) => frame.number < last && frame.number >= last - LATEST_FRAMES);
      if (earlier.length === 0) return;
      const { path, file, frame } = random.pick(earlier);
      file.rot(random, frame.start, frame.end);
      meta.isDamagedUpTo(committed);
      this.#world.note(`fault: a bit of frame ${frame.number} of ${path} on ${meta.host.name} has flipped`);
    });
  }

  /** One at a time, and never without the quorum that has what is committed. */
  get #mayLoseOne(): boolean {
    const { metaHosts } = this.#cluster;
    return metaHosts.length >= 3 && metaHosts.every(({ isVoter, isWhole }) => isVoter && isWhole);
  }
}

function framesOf({ platter }: Host): { path: string; file: PlatterFile; frame: Frame }[] {
  return platter.files().flatMap(([path, file]) => {
    const header = path.includes('/segment-') ? decodeHeader(file.content) : undefined;
    const frames = header === undefined ? [] : leadingFrames(file.content, FRAMES_START, header.salt);
    return frames.map((frame) => ({ path, file, frame }));
  });
}
