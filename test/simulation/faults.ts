// What goes wrong: processes die, stop and lose power, links break, are cut or
// slow, disks fail, stall, fill up, rot or are replaced. In the safe mode the atlas is
// asked first; beyond it, anything may happen at once.

import { LONGEST_WAIT_MS, SESSION_GRACE_MS } from '../../src/protocol/services/sessions.js';
import type { Atlas } from './atlas.js';
import type { DataHost, SimulatedCluster } from './cluster.js';
import { CONTROL_FAULTS, type ControlFault, DATA_FAULTS, type DataFault, deck } from './fault-kinds.js';
import { currentBlocks } from './inspector.js';
import type { MetaHost } from './meta-host.js';
import type { Host, World } from './world/host.js';
import { ROOMY_BYTES } from './world/platter.js';

const MILLISECOND_US = 1000;
/** Room that a full disk has left: no block fits. */
const ROOM_OF_A_FULL_DISK_BYTES = 100;

interface ActiveFault {
  end(): void;
}

export class Faults {
  readonly #active = new Set<ActiveFault>();
  readonly #dataFaults: readonly DataFault[];
  readonly #controlFaults: readonly ControlFault[];
  /** How many of the faults concern mediator, metaserver and clients. */
  readonly #controlShare: number;
  /** When the way of a request through mediator and metaserver was last held up, and when the mediator last died. */
  #heldUpUs = 0;
  #holdUps = 0;
  #mediatorDiedUs = 0;
  /** When each client was last stopped for longer than its session lives: until when, microseconds; endless while it is. */
  readonly #silentUntilUs = new Map<string, number>();
  #fullUs = Number.NEGATIVE_INFINITY;
  #fullDisks = 0;
  metaserverCrashes = 0;
  started = 0;

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
    this.#dataFaults = deck(DATA_FAULTS, world.random);
    this.#controlFaults = deck(CONTROL_FAULTS, world.random);
    this.#controlShare = world.random.pick([0.1, 0.25, 0.6]);
  }

  /** Whether a request that was cut off from its client can't change anything any more. */
  isSettled({ cutOffUs }: { cutOffUs: number }): boolean {
    if (this.#holdUps > 0) return false;
    const quietUs = this.#world.scheduler.nowUs - Math.max(cutOffUs, this.#heldUpUs);
    // Without its last mediator only a message that was on its way can still arrive.
    const isOrphaned = this.#mediatorDiedUs > cutOffUs;
    return quietUs > (isOrphaned ? 500 : 8000) * MILLISECOND_US;
  }

  /** Whether the client's session may have ended since then: it was stopped for long. */
  wasSilent(client: string, sinceUs: number): boolean {
    return (this.#silentUntilUs.get(client) ?? Number.NEGATIVE_INFINITY) >= sinceUs;
  }

  mediatorDied(sinceUs: number): boolean {
    return this.#mediatorDiedUs >= sinceUs;
  }

  /** Whether a disk was full within the last seconds. */
  get mayBeFull(): boolean {
    return this.#fullDisks > 0 || this.#world.scheduler.nowUs - this.#fullUs < 10_000 * MILLISECOND_US;
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
    for (const fault of [...this.#active]) fault.end();
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
    this.started++;
    switch (fault) {
      case 'kill':
        return this.#outage(host, number, 'killed', () => host.kill());
      case 'power':
        return this.#outage(host, number, 'without power', () => host.cutPower());
      case 'wipe':
        this.#atlas.damages(number);
        return this.#outage(host, number, 'killed, and its disk replaced', () => {
          host.kill();
          target.wipe();
        });
      case 'stop':
        return this.#stop(host, number);
      case 'cut':
        network.cut('mediator', name);
        return this.#lasting(`${name} is cut off from the mediator`, number, random.between(20, 3000), () =>
          network.heal('mediator', name, random.chance(0.3)),
        );
      case 'slow':
        network.slow('mediator', name, random.between(1, 300) * MILLISECOND_US);
        return this.#lasting(`the way to ${name} is slow`, number, random.between(100, 3000), () =>
          network.slow('mediator', name, 0),
        );
      case 'stall':
        return this.#stall(host, number);
      case 'break':
        this.#world.note(`fault: the connection to ${name} is lost`);
        this.#atlas.troubleStarts(number, 'break');
        this.#atlas.troubleEnds(number, 'break');
        return network.breakConnections('mediator', name);
      case 'syncs':
        host.troubles.failSyncs = true;
        target.deletions.spoil();
        return this.#lasting(`the disk of ${name} fails to sync`, null, random.between(10, 1000), () => {
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
    const { mediatorHost, metaHosts } = this.#cluster;
    const meta = this.#world.random.pick(metaHosts);
    const { host } = meta;
    this.started++;
    switch (fault) {
      case 'mediator':
        this.#strikeMediator(mediatorHost);
        break;
      case 'metaserver':
        this.#strikeMetaserver(meta);
        break;
      case 'metadata link':
        this.#strikeMetadataLink(host);
        break;
      case 'metadata disk':
        host.troubles.failSyncs = true;
        this.#lasting(`the disk of ${host.name} fails`, 'way', this.#world.random.between(5, 300), () => {
          host.troubles.failSyncs = false;
        });
        break;
      case 'metadata stall':
        this.#stall(host, 'way');
        break;
      case 'metadata wipe':
        this.#wipeMetaserver(meta);
        break;
      case 'client link': {
        const { name } = this.#world.random.pick(this.#cluster.clients);
        this.#world.note(`fault: the connection of ${name} is lost`);
        this.#world.network.breakConnections(name, 'mediator');
        break;
      }
      case 'client stop':
        this.#stopClient(this.#someClient());
        break;
      case 'blackout':
        this.#world.note('fault: no power anywhere');
        for (const data of this.#cluster.dataHosts) {
          this.#outage(data.host, data.number, 'without power', () => data.host.cutPower());
        }
        this.#outage(mediatorHost, 'way', 'without power', () => this.#endMediator(true));
        for (const each of metaHosts) {
          this.#outage(each.host, 'way', 'without power', () => this.#endMetaserver(each, true));
        }
    }
  }

  #strikeMetadataLink({ name }: Host): void {
    const { random, network } = this.#world;
    const others = this.#cluster.metaHosts.map(({ host }) => host.name).filter((other) => other !== name);
    const ends = random.chance(0.5) ? ['mediator'] : [random.pick(['mediator', ...others])];
    // A server that nobody can reach.
    if (others.length > 0 && random.chance(0.3)) ends.splice(0, 1, 'mediator', ...others);
    if (random.chance(0.4)) {
      this.#world.note(`fault: the connections of ${name} with ${ends.join(', ')} are lost`);
      for (const end of ends) network.breakConnections(end, name);
      return;
    }
    for (const end of ends) network.cut(end, name);
    this.#lasting(`${name} is cut off from ${ends.join(', ')}`, 'way', random.between(20, 2000), () => {
      for (const end of ends) network.heal(end, name, random.chance(0.3));
    });
  }

  /** One at a time, and never without the quorum that has what is committed. */
  #wipeMetaserver(meta: MetaHost): void {
    const { metaHosts } = this.#cluster;
    if (metaHosts.length < 3 || !metaHosts.every(({ isVoter }) => isVoter)) return;
    this.#outage(meta.host, 'way', 'killed, and its disk replaced', () => {
      this.#endMetaserver(meta, false);
      meta.wipe();
    });
  }

  #strikeMediator(host: Host): void {
    if (this.#world.random.chance(0.2)) this.#stop(host, 'way');
    else this.#outage(host, 'way', 'killed', () => this.#endMediator(this.#world.random.chance(0.3)));
  }

  #strikeMetaserver(meta: MetaHost): void {
    const { host } = meta;
    if (this.#world.random.chance(0.2)) this.#stop(host, 'way');
    else this.#outage(host, 'way', 'killed', () => this.#endMetaserver(meta, this.#world.random.chance(0.5)));
  }

  killMediator(): void {
    this.#endMediator(false);
  }

  #endMediator(power: boolean): void {
    if (this.#cluster.mediatorHost.process !== null) this.#mediatorDiedUs = this.#world.scheduler.nowUs;
    if (power) this.#cluster.mediatorHost.cutPower();
    else this.#cluster.mediatorHost.kill();
    this.#atlas.mediatorEnded();
  }

  #endMetaserver({ host, isServing }: MetaHost, power: boolean): void {
    if (host.process !== null && (isServing || this.#cluster.metaHosts.length === 1)) this.leaderEnded();
    if (power) host.cutPower();
    else host.kill();
  }

  /** Commands that were answered and are not durable may be lost. */
  leaderEnded(): void {
    this.metaserverCrashes++;
    this.#onMetaserverCrash();
  }

  /** A process ends now and is started again later. */
  #outage(host: Host, concerned: number | 'way', words: string, end: () => void): void {
    end();
    this.#lasting(`${host.name} is ${words}`, concerned, this.#downMs(), () => host.start());
  }

  #stop(host: Host, concerned: number | 'way' | null): void {
    const { process } = host;
    if (process === null || process.isStopped) return;
    process.stop();
    this.#lasting(`${host.name} is stopped`, concerned, this.#world.random.between(20, 3000), () => process.resume());
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
    else this.#stop(host, null);
  }

  /** Stops a mount for longer than its session lives. */
  silence({ name, process }: Host): void {
    if (process === null) return;
    const { random, scheduler } = this.#world;
    this.#silentUntilUs.set(name, Number.POSITIVE_INFINITY);
    process.stop();
    const durationMs = SESSION_GRACE_MS + LONGEST_WAIT_MS + random.between(1000, 4000);
    this.#lasting(`${name} is stopped`, null, durationMs, () => {
      this.#silentUntilUs.set(name, scheduler.nowUs);
      process.resume();
    });
  }

  #stall(host: Host, concerned: number | 'way'): void {
    if (host.troubles.stalled !== null) return;
    host.stallDisk();
    this.#lasting(`the disk of ${host.name} answers nothing`, concerned, this.#world.random.between(20, 3000), () =>
      host.resumeDisk(),
    );
  }

  #fill({ host, deletions }: DataHost): void {
    const { platter, name } = host;
    if (platter.capacityBytes < ROOMY_BYTES) return;
    platter.capacityBytes = platter.usedBytes + ROOM_OF_A_FULL_DISK_BYTES;
    this.#fullDisks++;
    deletions.spoil();
    this.#lasting(`the disk of ${name} is full`, null, this.#world.random.between(50, 2000), () => {
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

  #downMs(): number {
    const { random } = this.#world;
    return random.chance(0.5) ? random.between(1, 100) : random.between(100, 3000);
  }

  /**
   * Something is wrong from now on, for some time.
   * @param concerned the data server that can't be counted on meanwhile, or 'way' when it holds up changes of metadata
   */
  #lasting(words: string, concerned: number | 'way' | null, durationMs: number, end: () => void): void {
    const { scheduler } = this.#world;
    this.#world.note(`fault: ${words} for ${durationMs} ms`);
    const key = `${words} ${this.started}`;
    if (typeof concerned === 'number') this.#atlas.troubleStarts(concerned, key);
    if (concerned === 'way') this.#holdUps++;
    const fault: ActiveFault = {
      end: () => {
        if (!this.#active.delete(fault)) return;
        this.#world.note(`over: ${words}`);
        end();
        if (typeof concerned === 'number') this.#atlas.troubleEnds(concerned, key);
        if (concerned === 'way') {
          this.#holdUps--;
          this.#heldUpUs = scheduler.nowUs;
        }
      },
    };
    this.#active.add(fault);
    scheduler.after(durationMs * MILLISECOND_US, () => fault.end());
  }
}
