// Servers of a catalog on a virtual clock, each on a host of its own: the very same code, with simulated disks and a simulated network.
import type { Catalog } from '../../../src/catalog/catalog.js';
import type { CatalogConfig, CatalogServerConfig } from '../../../src/catalog/configuration/catalog-config.js';
import { DEFAULTS } from '../../../src/catalog/configuration/defaults.js';
import { type RunningCatalog, runCatalog } from '../../../src/catalog/main.js';
import { CatalogError } from '../../../src/catalog/map/errors.js';
import { brief } from '../../../src/recording/brief.js';
import { reignNumber } from '../../../src/replication/core/primary-backup/reigns.js';
import { messageOf } from '../../../src/runtime/caught-errors.js';
import type { Timer } from '../../../src/runtime/clock.js';
import type { Recorder } from '../recording/recorder.js';
import { Host, type World } from '../world/host.js';
import { SimulatedNetwork } from '../world/network.js';
import type { LogLevel } from '../world/process.js';
import { Scheduler } from '../world/scheduler.js';
import { SeededRandom } from '../world/seeded-random.js';
import { Trace } from '../world/trace.js';

export interface CatalogWorldOptions {
  seed: number;
  protocol: Catalog['protocol'];
  servers: number;
  /** What is otherwise than the defaults. */
  config?: Partial<CatalogConfig>;
  /** Is told all that happens; the run is the same with and without. */
  recorder?: Recorder | undefined;
}

/** A client's request, for a recording. */
export interface ToldRequest {
  from: string;
  name: string;
  content: string;
}

const US_PER_MS = 1000;
/** From a client to a server, and back. */
const CLIENT_US = 200;

export class CatalogWorld {
  readonly servers: CatalogHost[] = [];
  readonly random: SeededRandom;
  readonly network: SimulatedNetwork;
  readonly #trace = new Trace();
  readonly #scheduler: Scheduler;
  readonly #config: CatalogConfig;
  readonly #world: World;

  constructor({ seed, protocol, servers, config = {}, recorder }: CatalogWorldOptions) {
    this.random = new SeededRandom(seed);
    this.network = new SimulatedNetwork(this.random.fork(), recorder);
    this.#scheduler = new Scheduler(this.#trace);
    if (recorder !== undefined) {
      recorder.nowUs = () => this.#scheduler.nowUs;
      if (protocol === 'primary-backup') recorder.termOf = reignNumber;
    }
    this.#world = {
      scheduler: this.#scheduler,
      network: this.network,
      random: this.random.fork(),
      note: (text) => this.#trace.line(this.#scheduler.nowUs, text),
      receiveLog: (process, level, event, fields) => this.#log(process.host, level, event, fields),
      recorder,
    };
    this.#config = {
      ...DEFAULTS,
      protocol,
      servers: Array.from({ length: servers }, (_, at) => placeOf(`s${at + 1}`)).map((place) =>
        config.memory === true ? { name: place.name, address: place.address } : place,
      ),
      memory: false,
      testHooks: true,
      ...config,
    };
    for (const { name } of this.#config.servers) this.#add(name, false);
  }

  get nowMs(): number {
    return this.#scheduler.nowUs / US_PER_MS;
  }

  /** The last lines of what happened. */
  get story(): string {
    return this.#trace.tail(60).join('\n');
  }

  start(): void {
    for (const { host } of this.servers) host.start();
  }

  /** A server that comes later. @param changes what is otherwise in its configuration */
  join(name: string, changes: Partial<CatalogConfig> = {}): CatalogHost {
    const server = this.#add(name, true);
    server.configure(changes);
    server.host.start();
    return server;
  }

  async run(ms: number): Promise<void> {
    await this.#scheduler.run(this.#scheduler.nowUs + ms * US_PER_MS);
  }

  /** @returns after how many milliseconds it was so. Throws when it was not within the limit. */
  async until(what: string, condition: () => boolean, limitMs = 10_000): Promise<number> {
    const startMs = this.nowMs;
    await this.#scheduler.run(this.#scheduler.nowUs + limitMs * US_PER_MS, condition);
    if (!condition()) throw new Error(`waited ${limitMs} ms for ${what}\n${this.story}`);
    return this.nowMs - startMs;
  }

  /** Runs until the promise is settled, and settles as it does. Throws when it is not within the limit. */
  async settle<T>(what: string, promise: Promise<T>, limitMs = 10_000): Promise<T> {
    let isSettled = false;
    const done = () => {
      isSettled = true;
    };
    promise.then(done, done);
    await this.until(what, () => isSettled, limitMs);
    return promise;
  }

  after(ms: number, action: () => void): Timer {
    return this.#scheduler.after(ms * US_PER_MS, action);
  }

  /** As a client does. Rejects when the server can't be reached, or dies before it has answered; a stopped one answers later. */
  call<T>(server: CatalogHost, action: (catalog: Catalog) => Promise<T>, told?: ToldRequest): Promise<T> {
    const { recorder } = this.#world;
    const isThere = server.host.process !== null && server.running !== null;
    const answered = told && recorder?.request(told, server.name, isThere ? CLIENT_US : null);
    return new Promise((resolve, reject) => {
      const { process } = server.host;
      if (process === null || server.running === null) {
        reject(new CatalogError('UNAVAILABLE', `${server.name} can't be reached`));
        return;
      }
      process.onDeath(() => reject(new CatalogError('OUTCOME_UNKNOWN', `${server.name} has died`)));
      process.after(CLIENT_US, () => {
        const { running } = server;
        if (running === null) return;
        const answer = (settle: () => void) => process.after(CLIENT_US, settle);
        action(running.catalog).then(
          (value) => {
            answered?.(brief(value), false);
            answer(() => resolve(value));
          },
          (error: unknown) => {
            answered?.(messageOf(error), true);
            answer(() => reject(error));
          },
        );
      });
    });
  }

  /** Cuts the network between the servers of one side and all others. */
  split(side: readonly CatalogHost[], isOneWay = false): void {
    for (const one of side) {
      for (const other of this.servers) {
        if (side.includes(other)) continue;
        if (isOneWay) this.network.cutOneWay(one.name, other.name);
        else this.network.cut(one.name, other.name);
      }
    }
  }

  heal(): void {
    for (const one of this.servers) {
      for (const other of this.servers) {
        if (one.name >= other.name) continue;
        this.network.heal(one.name, other.name, true);
        this.network.slow(one.name, other.name, 0);
      }
    }
  }

  /** Everything runs, and all links work. */
  restoreAll(): void {
    this.heal();
    for (const { host } of this.servers) {
      host.process?.resume();
      host.start();
    }
  }

  end(): void {
    for (const { host } of this.servers) host.kill();
  }

  #add(name: string, isNewcomer: boolean): CatalogHost {
    const place = placeOf(name);
    const others = this.servers.filter((server) => server.name !== name).map((server) => placeOf(server.name));
    const config = isNewcomer ? { ...this.#config, servers: [...others, place] } : this.#config;
    const server = new CatalogHost(name, this.#world, config, isNewcomer);
    this.servers.push(server);
    return server;
  }

  #log(host: string, level: LogLevel, event: string, fields: object): void {
    if (level === 'debug') return;
    this.#trace.line(this.#scheduler.nowUs, `${host} ${level} ${event} ${JSON.stringify(fields)}`);
    this.#world.recorder?.log(host, level, event, { ...fields });
  }
}

export class CatalogHost {
  readonly host: Host;
  running: RunningCatalog | null = null;
  #config: CatalogConfig;
  /** The name that it serves under. */
  #served: string;
  #isMoved = false;

  constructor(
    readonly name: string,
    world: World,
    config: CatalogConfig,
    isNewcomer: boolean,
  ) {
    this.#config = config;
    this.#served = name;
    this.host = new Host(name, world, {
      start: async (runtime) => {
        const isLate = isNewcomer && (this.#served === name || this.#isMoved);
        const running = await runCatalog({ config: this.#config, server: this.#place, isNewcomer: isLate }, runtime);
        this.running = running;
      },
      ended: () => {
        this.running = null;
      },
    });
  }

  get isLeading(): boolean {
    return this.host.process !== null && this.running?.catalog.isLeader === true;
  }

  get #place(): CatalogServerConfig {
    return this.#config.servers.find((server) => server.name === this.#served) ?? placeOf(this.name);
  }

  /** From its next start on, it is configured otherwise. */
  configure(changes: Partial<CatalogConfig>): void {
    this.#config = { ...this.#config, ...changes };
  }

  /** From its next start on, it serves as another server of its configuration does. @param isMoved and comes into the catalog anew */
  rename(name: string, isMoved = false): void {
    this.#served = name;
    this.#isMoved = isMoved;
  }

  /** Its disk is another one, which is empty. The process must be gone. */
  wipe(): void {
    this.host.platter.wipe();
  }
}

function placeOf(name: string) {
  return { name, address: `${name}:1`, directory: `/${name}` };
}
