// What goes wrong: processes die, stop and lose power, links break, are cut or
// slow, disks fail, stall, fill up, rot or are replaced. In the safe mode the atlas is
// asked first; beyond it, anything may happen at once.

import { METADATA_DEADLINE_MS } from '../../src/mediator/metadata/metaserver-connection.js';
import { LONGEST_WAIT_MS, SESSION_GRACE_MS } from '../../src/protocol/services/sessions.js';
import type { Atlas } from './atlas.js';
import type { DataHost, SimulatedCluster } from './cluster.js';
import { type ControlFault, controlFaults, DATA_FAULTS, type DataFault, deck } from './fault-kinds.js';
import { currentBlocks } from './inspector.js';
import { type Concerned, LastingFaults } from './lasting-faults.js';
import { MediatorFaults } from './mediator-faults.js';
import { MetaFaults } from './meta-faults.js';
import type { Host, World } from './world/host.js';
import { ROOMY_BYTES } from './world/platter.js';

const MILLISECOND_US = 1000;
/** Room that a full disk has left: no block fits. */
const ROOM_OF_A_FULL_DISK_BYTES = 100;

export class Faults {
  readonly #lasting: LastingFaults;
  readonly #mediators: MediatorFaults;
  readonly #metaservers: MetaFaults;
  readonly #dataFaults: readonly DataFault[];
  readonly #controlFaults: readonly ControlFault[];
  /** How many of the faults concern mediator, metaserver and clients. */
  readonly #controlShare: number;
  /** When each client was last stopped for longer than its session lives: until when, microseconds; endless while it is. */
  readonly #silentUntilUs = new Map<string, number>();
  #fullUs = Number.NEGATIVE_INFINITY;
  #fullDisks = 0;
  metaserverCrashes = 0;

  readonly #cluster: SimulatedCluster;
  readonly #world: World;
  readonly #atlas: Atlas;
  readonly #mode: 'safe' | 'beyond';
  readonly #onMetaserverCrash: () => void;

  constructor(
    cluster: SimulatedCluster,
    world: World,
    atlas: Atlas,
    mode: 'safe' | 'beyond',
    onMetaserverCrash: () => void,
  ) {
    this.#cluster = cluster;
    this.#world = world;
    this.#atlas = atlas;
    this.#mode = mode;
    this.#onMetaserverCrash = onMetaserverCrash;
    this.#lasting = new LastingFaults(world, atlas);
    this.#mediators = new MediatorFaults(cluster, world, atlas, this.#lasting, () => this.leaderEnded());
    this.#metaservers = new MetaFaults(cluster, world, this.#lasting, {
      someMediators: () => this.#mediators.someNames(),
      leaderEnded: () => this.leaderEnded(),
    });
    this.#dataFaults = deck(DATA_FAULTS, world.random);
    this.#controlFaults = deck(controlFaults(cluster.mediatorHosts.length), world.random);
    this.#controlShare = world.random.pick([0.1, 0.25, 0.6]);
  }

  get started(): number {
    return this.#lasting.started;
  }

  /** A client that is answered early asks once, and the mediator goes on for as long as it tries to reach its metaserver. */
  get #givesUpAfterMs(): number {
    return this.#cluster.shape.answersEarly ? METADATA_DEADLINE_MS + 8000 : 8000;
  }

  /** Whether a request that was cut off from its client can't change anything any more. */
  isSettled({ cutOffUs }: { cutOffUs: number }): boolean {
    const { clearSinceUs } = this.#lasting;
    if (clearSinceUs === null) return false;
    const quietUs = this.#world.scheduler.nowUs - Math.max(cutOffUs, clearSinceUs);
    // Without its last mediator only a message that was on its way can still arrive.
    const isOrphaned = this.#mediators.endedUs > cutOffUs;
    return quietUs > (isOrphaned ? 500 : this.#givesUpAfterMs) * MILLISECOND_US;
  }

  /** Whether the client's session may have ended since then: it was stopped for long. */
  wasSilent(client: string, sinceUs: number): boolean {
    return (this.#silentUntilUs.get(client) ?? Number.NEGATIVE_INFINITY) >= sinceUs;
  }

  /** Whether the active mediator has died since, or was replaced. */
  mediatorDied(sinceUs: number): boolean {
    return this.#mediators.endedUs >= sinceUs;
  }

  mayBeReplaced(mediator: Host): boolean {
    return this.#mediators.mayBeReplaced(mediator);
  }

  tookOver(): void {
    this.#mediators.tookOver();
  }

  /** Whether a disk was full since then, or within the seconds before. */
  mayBeFull(sinceUs: number): boolean {
    return this.#fullDisks > 0 || sinceUs - this.#fullUs < 10_000 * MILLISECOND_US;
  }

  /** Lets something go wrong, if it may. */
  async strike(): Promise<void> {
    const { random } = this.#world;
    if (random.chance(this.#controlShare)) {
      this.#strikeControl(random.pick(this.#controlFaults));
      return;
    }
    const target = random.pick(this.#cluster.dataHosts);
    const fault = random.pick(this.#dataFaults);
    if (this.#mode === 'beyond' || (await this.#isAllowed(target, fault))) await this.#strikeData(target, fault);
  }

  /** Ends everything that is wrong. */
  endAll(): void {
    this.#lasting.endAll();
  }

  #isAllowed({ number }: DataHost, fault: DataFault): Promise<boolean> {
    switch (fault) {
      case 'wipe':
      case 'rot':
      case 'corrupt':
        return this.#atlas.mayBeDamaged(number);
      case 'syncs':
      case 'full':
        // Reading goes on, and what was acknowledged is safe.
        return Promise.resolve(true);
      case 'kill':
      case 'power':
      case 'stop':
      case 'cut':
      case 'slow':
      case 'stall':
      case 'break':
        return this.#atlas.maySuffer(number);
    }
  }

  async #strikeData(target: DataHost, fault: DataFault): Promise<void> {
    const { host, number } = target;
    const { random, network } = this.#world;
    const { name } = host;
    this.#lasting.started++;
    switch (fault) {
      case 'kill':
        return this.#lasting.outage(host, number, 'killed', () => host.kill());
      case 'power':
        return this.#lasting.outage(host, number, 'without power', () => host.cutPower());
      case 'wipe':
        this.#atlas.damages(number);
        return this.#lasting.outage(host, number, 'killed, and its disk replaced', () => {
          host.kill();
          target.wipe();
        });
      case 'stop':
        return this.#lasting.stop(host, number);
      case 'cut':
        return this.#cutOff(name, number);
      case 'slow':
        return this.#slow(name, number);
      case 'stall':
        return this.#stall(host, number);
      case 'break':
        this.#world.note(`fault: the connection to ${name} is lost`);
        this.#atlas.troubleStarts(number, 'break');
        this.#atlas.troubleEnds(number, 'break');
        for (const end of this.#mediators.someNames()) network.breakConnections(end, name);
        return;
      case 'syncs':
        host.troubles.failSyncs = true;
        target.deletions.spoil();
        return this.#lasting.lasting(`the disk of ${name} fails to sync`, [], random.between(10, 1000), () => {
          host.troubles.failSyncs = false;
        });
      case 'full':
        return this.#fill(target);
      case 'rot':
        return this.#rot(target);
      case 'corrupt':
        return this.#corrupt(target);
    }
  }

  #strikeControl(fault: ControlFault): void {
    const { metaHosts } = this.#cluster;
    const meta = this.#world.random.pick(metaHosts);
    const { host } = meta;
    this.#lasting.started++;
    switch (fault) {
      case 'mediator':
        this.#mediators.strike();
        break;
      case 'mediator link':
        this.#mediators.cutOff();
        break;
      case 'metaserver':
        this.#metaservers.strike(meta);
        break;
      case 'metadata link':
        this.#metaservers.strikeLink(host);
        break;
      case 'metadata disk':
        host.troubles.failSyncs = true;
        this.#lasting.lasting(`the disk of ${host.name} fails`, ['way'], this.#world.random.between(5, 300), () => {
          host.troubles.failSyncs = false;
        });
        break;
      case 'metadata stall':
        this.#stall(host, 'way');
        break;
      case 'metadata wipe':
        this.#metaservers.wipe(meta);
        break;
      case 'metadata rot':
        this.#metaservers.rot(meta);
        break;
      case 'row rot':
        this.#metaservers.rotRows(meta);
        break;
      case 'client link': {
        const { name } = this.#world.random.pick(this.#cluster.clients);
        this.#world.note(`fault: the connection of ${name} is lost`);
        for (const end of this.#mediators.someNames()) this.#world.network.breakConnections(name, end);
        break;
      }
      case 'client stop':
        this.#stopClient(this.#someClient());
        break;
      case 'blackout':
        this.#world.note('fault: no power anywhere');
        for (const data of this.#cluster.dataHosts) {
          this.#lasting.outage(data.host, data.number, 'without power', () => data.host.cutPower());
        }
        this.#mediators.blackout();
        for (const each of metaHosts) {
          this.#lasting.outage(each.host, 'way', 'without power', () => this.#metaservers.end(each, true));
        }
    }
  }

  killMediator(): void {
    this.#mediators.killActive();
  }

  /** Commands that were answered and are not durable may be lost. */
  leaderEnded(): void {
    this.metaserverCrashes++;
    this.#mediators.leaderEnded();
    this.#onMetaserverCrash();
  }

  #cutOff(name: string, number: number): void {
    const { random, network } = this.#world;
    const ends = this.#mediators.someNames();
    for (const end of ends) network.cut(end, name);
    this.#lasting.lasting(`${name} is cut off from ${ends.join(', ')}`, [number], random.between(20, 3000), () => {
      for (const end of ends) network.heal(end, name, random.chance(0.3));
    });
  }

  #slow(name: string, number: number): void {
    const { random, network } = this.#world;
    const ends = this.#mediators.someNames();
    const slownessUs = random.between(1, 300) * MILLISECOND_US;
    for (const end of ends) network.slow(end, name, slownessUs);
    this.#lasting.lasting(`the way to ${name} is slow`, [number], random.between(100, 3000), () => {
      for (const end of ends) network.slow(end, name, 0);
    });
  }

  /** Mostly one that has locks. */
  #someClient(): Host {
    const { random } = this.#world;
    const { clients } = this.#cluster;
    const locking = clients.filter(({ session }) => session.locks.size > 0);
    return random.pick(locking.length > 0 && random.chance(0.8) ? locking : clients).host;
  }

  /** A mount that is stopped: for a moment, or for longer than its session lives. */
  #stopClient(host: Host): void {
    const { process } = host;
    if (process === null || process.isStopped) return;
    if (this.#world.random.chance(0.7)) this.silence(host);
    else this.#lasting.stop(host, null);
  }

  /** Stops a mount for longer than its session lives. */
  silence({ name, process }: Host): void {
    if (process === null) return;
    const { random, scheduler } = this.#world;
    this.#silentUntilUs.set(name, Number.POSITIVE_INFINITY);
    process.stop();
    const durationMs = SESSION_GRACE_MS + LONGEST_WAIT_MS + random.between(1000, 4000);
    this.#lasting.lasting(`${name} is stopped`, [], durationMs, () => {
      this.#silentUntilUs.set(name, scheduler.nowUs);
      process.resume();
    });
  }

  #stall(host: Host, concerned: Concerned): void {
    if (host.troubles.stalled !== null) return;
    host.stallDisk();
    this.#lasting.lasting(
      `the disk of ${host.name} answers nothing`,
      [concerned],
      this.#world.random.between(20, 3000),
      () => host.resumeDisk(),
    );
  }

  #fill({ host, deletions }: DataHost): void {
    const { platter, name } = host;
    if (platter.capacityBytes < ROOMY_BYTES) return;
    platter.capacityBytes = platter.usedBytes + ROOM_OF_A_FULL_DISK_BYTES;
    this.#fullDisks++;
    deletions.spoil();
    this.#lasting.lasting(`the disk of ${name} is full`, [], this.#world.random.between(50, 2000), () => {
      platter.capacityBytes = ROOMY_BYTES;
      this.#fullDisks--;
      this.#fullUs = this.#world.scheduler.nowUs;
    });
  }

  /** Some bits of the log flip. */
  #rot({ host, number, deletions }: DataHost): void {
    const segments = host.platter.files().filter(([path]) => path.includes('/segments/'));
    if (segments.length === 0) return;
    const [path, file] = this.#world.random.pick(segments);
    const bits = this.#world.random.between(1, 4);
    for (let bit = 0; bit < bits; bit++) file.rot(this.#world.random);
    deletions.spoil();
    this.#atlas.damages(number);
    this.#world.note(`fault: ${bits} bits of ${path} on ${host.name} have flipped`);
  }

  /** The test hook, on one block. */
  async #corrupt({ host, server, number }: DataHost): Promise<void> {
    const blocks = await currentBlocks(this.#cluster);
    if (server === null || blocks === null || blocks.length === 0) return;
    const { inode, index, version } = this.#world.random.pick(blocks);
    this.#atlas.damages(number);
    this.#world.note(`fault: block ${inode}/${index}/${version} is corrupted on ${host.name}`);
    server.hooks
      .corrupt({ inode, index, version })
      .catch((error: unknown) => this.#world.note(`${host.name} did not corrupt it: ${String(error)}`));
  }
}
