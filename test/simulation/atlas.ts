// Knows what the configuration promises to survive, and says of each fault
// before it happens whether that is still within the promise: of every block,
// enough good replicas must stay that can be asked.
import type { SimulatedCluster } from './cluster.js';
import { type CurrentBlock, currentBlocks, type Holdings, inspectDisk } from './inspector.js';
import { versionKey } from './version-key.js';

export class Atlas {
  /** Why each data server can't be counted on just now: names of faults. */
  readonly #troubles = new Map<number, Set<string>>();
  /** What each mediator thinks of each data server, as its log says. */
  readonly #views = new Map<string, Map<number, boolean>>();
  /** When the two above last changed for each server, microseconds. */
  readonly #changedUs = new Map<number, number>();
  /** Servers that lost data while the writes that are now under way ran. */
  readonly #damagedDuringWrites = new Set<number>();

  readonly #cluster: SimulatedCluster;
  readonly #nowUs: () => number;

  constructor(cluster: SimulatedCluster, nowUs: () => number) {
    this.#cluster = cluster;
    this.#nowUs = nowUs;
  }

  troubleStarts(server: number, fault: string): void {
    const troubles = this.#troubles.get(server) ?? new Set();
    this.#troubles.set(server, troubles.add(fault));
    this.#changedUs.set(server, this.#nowUs());
  }

  troubleEnds(server: number, fault: string): void {
    this.#troubles.get(server)?.delete(fault);
    this.#changedUs.set(server, this.#nowUs());
  }

  /** A mediator has said what it thinks of the server. */
  seenByMediator(mediator: string, server: number, isDown: boolean): void {
    const view = this.#views.get(mediator) ?? new Map<number, boolean>();
    this.#views.set(mediator, view.set(server, isDown));
    if (this.#active === mediator) this.#changedUs.set(server, this.#nowUs());
  }

  /** Another one counts from now on. */
  tookOver(): void {
    for (const { number } of this.#cluster.dataHosts) this.#changedUs.set(number, this.#nowUs());
  }

  mediatorEnded(mediator: string): void {
    for (const { number } of this.#cluster.dataHosts) this.seenByMediator(mediator, number, true);
  }

  noWritesUnderWay(): void {
    this.#damagedDuringWrites.clear();
  }

  /** The server lost data, or is about to. */
  damages(server: number): void {
    this.#damagedDuringWrites.add(server);
  }

  /** Whether all current blocks stay readable while this server can't be counted on, besides those that can't be already. */
  async maySuffer(server: number): Promise<boolean> {
    const others = this.#reliable().filter((number) => number !== server);
    return this.#suffices(others, null);
  }

  /**
   * Whether this server may lose data. What is being written counts as well: right after a write a block is on Qw servers
   * only, so of those that may be holding it no more than Qw − Qr may lose it.
   */
  async mayBeDamaged(server: number): Promise<boolean> {
    const { servers, readQuorum, writeQuorum } = this.#cluster.shape;
    const damaged = new Set(this.#damagedDuringWrites).add(server).size;
    if (damaged > Math.max(0, Math.min(servers, writeQuorum) - readQuorum)) return false;
    return this.maySuffer(server);
  }

  /** Whether a read of the inode had to succeed: enough servers were there, undisturbed, with good replicas, since it began. */
  async hadToBeReadable(inode: number, startedUs: number): Promise<boolean> {
    const steady = this.#reliable().filter((number) => (this.#changedUs.get(number) ?? 0) < startedUs);
    return this.#suffices(steady, inode);
  }

  get #active(): string {
    return this.#cluster.lastActive?.host.name ?? '';
  }

  #reliable(): number[] {
    const view = this.#views.get(this.#active);
    return this.#cluster.dataHosts
      .filter(({ host, number }) => {
        const isTroubled = (this.#troubles.get(number)?.size ?? 0) > 0;
        return host.isReady && !isTroubled && view?.get(number) === false;
      })
      .map(({ number }) => number);
  }

  async #suffices(servers: readonly number[], inode: number | null): Promise<boolean> {
    const { readQuorum } = this.#cluster.shape;
    if (servers.length < readQuorum) return false;
    const blocks = await currentBlocks(this.#cluster);
    if (blocks === null) return false;
    const concerned = blocks.filter((block) => inode === null || block.inode === inode);
    const holdings: (Holdings | null)[] = [];
    const isGood = (block: CurrentBlock) =>
      holdings.filter((held) => held?.get(versionKey(block)) === block.hash).length >= readQuorum;
    // To look at a disk takes long: once enough servers have everything, the others make no difference.
    for (const dataHost of this.#cluster.dataHosts) {
      if (concerned.every(isGood)) return true;
      if (servers.includes(dataHost.number)) holdings.push(await inspectDisk(dataHost));
    }
    return concerned.every(isGood);
  }
}
