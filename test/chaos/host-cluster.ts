// A cluster on hosts of its own, one server on each, and mounts on further ones: as several machines run it.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ClusterStatus } from '../../src/protocol/services/admin.js';
import { type Outcome, run, until } from '../support/cluster.js';
import { HostProcess } from './host-process.js';
import { Hosts } from './hosts.js';

const COMMAND = fileURLToPath(new URL('../../bundle/cli/main.js', import.meta.url));
const PORT = 7600;
const SETTLE_LIMIT_MS = 120_000;
const STATUS_LIMIT_MS = 20_000;

export interface HostClusterOptions {
  metaservers: number;
  mediators: number;
  dataservers: number;
  /** Hosts with a mount each. */
  clients: number;
  protocol: 'raft' | 'viewstamped';
  /** Something happened that must not. */
  onProblem: (problem: string) => void;
}

export class HostCluster {
  readonly #processes = new Map<string, HostProcess>();
  /** The first process that ended by itself. */
  #crash: string | undefined;

  private constructor(
    readonly folder: string,
    readonly hosts: Hosts,
    readonly options: HostClusterOptions,
  ) {}

  /** Resolves when all mounts can be used. */
  static async start(options: HostClusterOptions): Promise<HostCluster> {
    const folder = await mkdtemp(join(tmpdir(), 'nmrfs-test-'));
    const { metaservers, mediators, dataservers, clients } = options;
    const names = [
      ...numbered('meta', metaservers),
      ...numbered('mediator', mediators),
      ...numbered('data', dataservers),
      ...numbered('client', clients),
    ];
    const cluster = new HostCluster(folder, await Hosts.make(names), options);
    try {
      await cluster.#startAll();
    } catch (error) {
      await cluster.destroy();
      throw error;
    }
    return cluster;
  }

  get metaservers(): string[] {
    return numbered('meta', this.options.metaservers);
  }

  get mediators(): string[] {
    return numbered('mediator', this.options.mediators);
  }

  get dataservers(): string[] {
    return numbered('data', this.options.dataservers);
  }

  get clients(): string[] {
    return numbered('client', this.options.clients);
  }

  mountPoint(client: string): string {
    return join(this.folder, client, 'mnt');
  }

  log(name: string): string {
    return join(this.folder, name, 'log');
  }

  process(name: string): HostProcess {
    const found = this.#processes.get(name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  }

  /** As with a new disk in the machine. */
  async startBlank(server: string): Promise<void> {
    await rm(join(this.folder, server, server), { recursive: true, force: true });
    this.process(server).start();
  }

  /** Runs an nmrfs subcommand on the first client's host. */
  command(...parameters: string[]): Promise<Outcome> {
    return this.#run(STATUS_LIMIT_MS, parameters);
  }

  /** The same, with as much time as it takes to look at everything; throws when it fails. */
  async must(...parameters: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.#run(SETTLE_LIMIT_MS, parameters);
    if (status !== 0) throw new Error(`nmrfs ${parameters.join(' ')}: ${stderr || stdout}`);
    return stdout;
  }

  /** undefined while nobody can tell. */
  async status(): Promise<ClusterStatus | undefined> {
    const { status, stdout } = await this.command('status', '--json');
    // Its exit status tells whether all is well, too.
    return status === 0 || stdout.startsWith('{') ? (JSON.parse(stdout) as ClusterStatus) : undefined;
  }

  /** Until these servers take part again, with all that they must hold. */
  async untilWell(what: 'control' | 'data' | 'all'): Promise<void> {
    let last = '';
    await until(
      `all to be well again (${what})`,
      async () => {
        if (this.#crash !== undefined) throw new Error(this.#crash);
        const status = await this.status();
        if (status === undefined) return false;
        const bad = [...(what === 'data' ? [] : badControl(status)), ...(what === 'control' ? [] : badData(status))];
        last = bad.join(', ');
        return bad.length === 0;
      },
      SETTLE_LIMIT_MS,
    ).catch((error) => {
      throw new Error(`${error}: ${last}`);
    });
  }

  /** Ends and removes everything. */
  async destroy(): Promise<void> {
    for (const each of this.#processes.values()) each.letEnd();
    for (const client of this.clients) {
      // The kernel waits for nobody then.
      await run('umount', ['-l', this.mountPoint(client)], '/');
    }
    await Promise.all([...this.#processes.values()].map((each) => each.kill()));
    await this.hosts.remove();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #startAll(): Promise<void> {
    const text = this.#configText();
    for (const name of this.hosts.names) {
      await mkdir(join(this.folder, name, 'mnt'), { recursive: true });
      await writeFile(join(this.folder, name, 'nmrfs.yaml'), text);
    }
    for (const [kind, names] of [
      ['meta', this.metaservers],
      ['data', this.dataservers],
      ['mediator', this.mediators],
    ] as const) {
      for (const name of names) this.#add(name, ['serve', kind, '--id', name]);
    }
    await this.untilWell('all');
    const mediators = this.mediators.map((name) => `${this.hosts.address(name)}:${PORT}`).join(',');
    for (const client of this.clients) {
      const options = ['--foreground', '--mediator', mediators, '-o', 'attribute_timeout=0'];
      this.#add(client, ['mount', this.mountPoint(client), ...options]);
    }
    for (const client of this.clients) {
      await until(`the mount of ${client}`, async () =>
        (await readFile('/proc/mounts', 'utf8')).includes(` ${this.mountPoint(client)} `),
      );
    }
  }

  #add(name: string, parameters: readonly string[]): void {
    const started = new HostProcess({
      name,
      command: this.#command(name, parameters),
      directory: join(this.folder, name),
      log: this.log(name),
      onCrash: (how) => {
        this.#crash ??= how;
        this.options.onProblem(how);
      },
    });
    this.#processes.set(name, started);
    started.start();
  }

  #command(host: string, parameters: readonly string[]): string[] {
    const config = ['--config', join(this.folder, host, 'nmrfs.yaml')];
    return [...this.hosts.on(host), process.execPath, COMMAND, ...parameters, ...config];
  }

  #run(limitMs: number, parameters: readonly string[]): Promise<Outcome> {
    const host = 'client1';
    const [program = '', ...words] = this.#command(host, parameters);
    return run(program, words, join(this.folder, host), limitMs);
  }

  /** The same on every host; relative folders count from the host's own. */
  #configText(): string {
    const entry = (name: string) => `name: ${name}, address: "${this.hosts.address(name)}:${PORT}"`;
    const stores = (names: readonly string[]) => names.map((name) => `  - { ${entry(name)}, directory: ${name} }`);
    return [
      'mediators:',
      ...this.mediators.map((name) => `  - { ${entry(name)} }`),
      `metadataProtocol: ${this.options.protocol}`,
      'metaservers:',
      ...stores(this.metaservers),
      'dataservers:',
      ...stores(this.dataservers),
      'secret: only for this network',
      'testHooks: true',
      'runDirectory: run',
      // One of five may be away.
      'readQuorum: 3',
      'writeQuorum: 4',
      '',
    ].join('\n');
  }
}

function numbered(kind: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${kind}${at + 1}`);
}

function badControl({ mediators, metaservers }: ClusterStatus): string[] {
  const states = mediators.map(({ state }) => state);
  const isLed = metaservers.some(({ isServing }) => isServing);
  return [
    ...(isLed ? [] : ['nobody leads']),
    ...(states.filter((state) => state === 'active').length === 1 ? [] : ['not one mediator is active']),
    ...mediators.filter(({ state }) => state === 'down').map(({ name }) => `${name} is down`),
    ...metaservers
      .filter(({ role, isVoter }) => !isVoter || (role !== 'leader' && role !== 'follower'))
      .map(({ name, role }) => `${name} is ${role}`),
  ];
}

function badData({ dataservers }: ClusterStatus): string[] {
  return dataservers.filter(({ state }) => state !== 'up').map(({ name, state }) => `${name} is ${state}`);
}
