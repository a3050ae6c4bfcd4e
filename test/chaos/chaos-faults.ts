// Faults for a cluster on hosts, chosen by a seed: at any time one of a metaserver or a mediator, and one of a data server, which
// three metaservers, two mediators and five data servers promise to survive. Each ends, and all are well again before the next.
import type { SeededRandom } from '../simulation/world/seeded-random.js';
import type { HostCluster } from './host-cluster.js';
import type { Way } from './hosts.js';

const SHORTEST_MS = 300;
const LONGEST_MS = 7000;
const SHORTEST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 2500;
/** Of faults of metaservers and mediators: so many concern the one that leads, or is active. */
const SHARE_OF_LEADING = 0.7;

type Cut = 'cut off' | 'mute' | 'deaf' | 'cut off from some' | 'cut off from data servers';
type Fault = Cut | 'kill' | 'stop' | 'blank' | 'transfer' | 'corrupt';

const OF_METASERVERS: readonly Fault[] = [
  ...(['kill', 'stop', 'blank', 'cut off', 'mute', 'deaf'] as const),
  ...(['cut off from some', 'cut off from some', 'transfer'] as const),
];
const OF_MEDIATORS: readonly Fault[] = [
  ...(['kill', 'stop', 'cut off', 'mute', 'deaf'] as const),
  ...(['cut off from some', 'cut off from data servers'] as const),
];
const OF_DATA_SERVERS: readonly Fault[] = ['kill', 'stop', 'blank', 'cut off', 'mute', 'deaf', 'corrupt'];

export class ChaosFaults {
  /** How often each was done. */
  readonly done = new Map<string, number>();
  #isOver = false;
  readonly #endOfWaits: (() => void)[] = [];

  readonly #cluster: HostCluster;
  readonly #random: SeededRandom;
  /** Paths within the file system of files that may be corrupted. */
  readonly #files: () => Promise<readonly string[]>;
  readonly #onLine: (line: string) => void;

  constructor(
    cluster: HostCluster,
    random: SeededRandom,
    files: () => Promise<readonly string[]>,
    onLine: (line: string) => void,
  ) {
    this.#cluster = cluster;
    this.#random = random;
    this.#files = files;
    this.#onLine = onLine;
  }

  /** Resolves after `end`, when all are well again. Rejects when they don't get well. */
  async run(): Promise<void> {
    await Promise.all([this.#repeat('control', this.#random.fork()), this.#repeat('data', this.#random.fork())]);
  }

  /** The fault that is under way ends now, and is the last one. */
  end(): void {
    this.#isOver = true;
    for (const end of this.#endOfWaits.splice(0)) end();
  }

  async #repeat(concerned: 'control' | 'data', random: SeededRandom): Promise<void> {
    while (!this.#isOver) {
      if (concerned === 'data') await this.#strike(random.pick(this.#cluster.dataservers), OF_DATA_SERVERS, random);
      else if (random.chance(0.5)) await this.#strike(await this.#metaserver(random), OF_METASERVERS, random);
      else await this.#strike(await this.#mediator(random), OF_MEDIATORS, random);
      await this.#cluster.untilWell(concerned);
      await this.#wait(random.between(SHORTEST_PAUSE_MS, LONGEST_PAUSE_MS));
    }
  }

  async #metaserver(random: SeededRandom): Promise<string> {
    const any = random.pick(this.#cluster.metaservers);
    if (!random.chance(SHARE_OF_LEADING)) return any;
    const status = await this.#cluster.status();
    return status?.metaservers.find(({ isServing }) => isServing)?.name ?? any;
  }

  async #mediator(random: SeededRandom): Promise<string> {
    const any = random.pick(this.#cluster.mediators);
    if (!random.chance(SHARE_OF_LEADING)) return any;
    const status = await this.#cluster.status();
    return status?.mediators.find(({ state }) => state === 'active')?.name ?? any;
  }

  /** Does one of these to the server, for a while. */
  async #strike(server: string, faults: readonly Fault[], random: SeededRandom): Promise<void> {
    const fault = random.pick(faults);
    const durationMs = random.between(SHORTEST_MS, LONGEST_MS);
    const kind = `${fault} ${server.replace(/[0-9]+$/, '')}`;
    this.done.set(kind, (this.done.get(kind) ?? 0) + 1);
    const cluster = this.#cluster;
    const say = (words: string) => this.#onLine(`${server}: ${words}`);
    switch (fault) {
      case 'kill':
      case 'blank':
        say(`killed for ${durationMs} ms${fault === 'blank' ? ', and loses its disk' : ''}`);
        await cluster.process(server).kill();
        await this.#wait(durationMs);
        if (fault === 'blank') await cluster.startBlank(server);
        else cluster.process(server).start();
        return;
      case 'stop':
        say(`stopped for ${durationMs} ms`);
        await cluster.process(server).pause();
        await this.#wait(durationMs);
        await cluster.process(server).resume();
        return;
      case 'transfer': {
        const { status, stdout, stderr } = await cluster.command('metaserver', 'transfer', server);
        say(`is asked to lead: ${(status === 0 ? stdout : stderr).trim()}`);
        return;
      }
      case 'corrupt': {
        const files = await this.#files();
        if (files.length === 0) {
          say('is to be corrupted, but no program has written a file yet');
          return;
        }
        const path = random.pick(files);
        const { status, stderr } = await cluster.command('corrupt', path, '--on', server);
        say(`${path} is corrupted${status === 0 ? '' : `, which fails: ${stderr.trim()}`}`);
        return;
      }
      default: {
        const ways = this.#ways(server, fault, random);
        const some =
          fault === 'cut off from some' ? `: ${ways.map(({ from, to }) => `${from} to ${to}`).join(', ')}` : '';
        say(`${fault} for ${durationMs} ms${some}`);
        const mend = await cluster.hosts.cut(ways);
        await this.#wait(durationMs);
        await mend();
      }
    }
  }

  #ways(server: string, fault: Cut, random: SeededRandom): Way[] {
    const { hosts, metaservers, mediators, dataservers } = this.#cluster;
    const others = hosts.names.filter((name) => name !== server);
    const from = (names: readonly string[]) => names.map((name) => ({ from: name, to: server }));
    const to = (names: readonly string[]) => names.map((name) => ({ from: server, to: name }));
    switch (fault) {
      case 'mute':
        return to(others);
      case 'deaf':
        return from(others);
      case 'cut off':
        return [...to(others), ...from(others)];
      case 'cut off from data servers':
        return [...to(dataservers), ...from(dataservers)];
      case 'cut off from some': {
        const control = [...metaservers, ...mediators].filter((name) => name !== server);
        const some = control.filter(() => random.chance(0.5)).slice(1);
        const chosen = some.length > 0 ? some : [random.pick(control)];
        const direction = random.between(0, 2);
        return [...(direction === 0 ? [] : to(chosen)), ...(direction === 1 ? [] : from(chosen))];
      }
    }
  }

  /** Or until the end. */
  #wait(ms: number): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endOfWaits.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
