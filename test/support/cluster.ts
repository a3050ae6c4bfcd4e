// A whole nmrfs for end-to-end tests: real processes, a real mount, in a
// temporary folder, on free ports, and nothing left behind.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SLOW_CALL_MS, withAdmin } from '../../src/cli/admin-client.js';
import { loadConfig } from '../../src/cli/config-file.js';
import type { AdminService, ClusterStatus, DataServerState } from '../../src/protocol/services/admin.js';
import type { ListEntry } from '../../src/protocol/services/blocks.js';
import { noteTrouble } from './trouble.js';

const COMMAND = fileURLToPath(new URL('../../bundle/cli/main.js', import.meta.url));
const LOWEST_PORT = 10_000;
/** Linux's default (net.ipv4.ip_local_port_range). */
const LOWEST_OUTGOING_PORT = 32_768;
/** Longer than any step should take on a busy machine; a step that takes this long has failed. */
const STEP_TIMEOUT_MS = 60_000;
/** What the ready line begins with; warnings come before it. */
const READY = 'nmrfs is ready:';
/** Subcommands after which servers have something to complain of. */
const HARMFUL: ReadonlySet<string | undefined> = new Set(['corrupt', 'terminate', 'restart']);
/** Entries of a data server's contents in one answer. */
const CONTENTS_PAGE = 4096;
/** A rebuild moves a whole store. */
const REBUILD_TIMEOUT_MS = 180_000;

export interface ClusterOptions {
  servers: number;
  /** One when absent. */
  metaservers?: number;
  metadataProtocol?: 'raft' | 'viewstamped' | 'etcd';
  /** One when absent. */
  mediators?: number;
  readQuorum?: number;
  writeQuorum?: number;
  binding?: 'kernel' | 'fuse-native';
  attributeTimeoutMs?: number;
  maximumDirtyMebibytes?: number;
  /** Further lines for the config file, at top level. */
  extraConfig?: string;
  /** Called with the cluster's folder before anything starts. */
  prepare?: (folder: string) => Promise<void>;
}

export interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

export class Cluster {
  /** Its test has done something to a server, or was about to. */
  #isHarmed = false;

  readonly #supervisor: ChildProcess;
  readonly #output: string[];

  private constructor(
    readonly folder: string,
    readonly mountPoint: string,
    readonly configFile: string,
    supervisor: ChildProcess,
    output: string[],
  ) {
    this.#supervisor = supervisor;
    this.#output = output;
  }

  /** Starts all servers and waits for the ready line. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const folder = await mkdtemp(join(tmpdir(), 'nmrfs-test-'));
    const configFile = join(folder, 'nmrfs.yaml');
    await writeFile(configFile, await configText(options));
    await options.prepare?.(folder);
    return Cluster.resume(folder);
  }

  /** Starts the servers of a folder that an earlier cluster has left (see `stop`). */
  static async resume(folder: string): Promise<Cluster> {
    const configFile = join(folder, 'nmrfs.yaml');
    const output: string[] = [];
    const supervisor = spawn(process.execPath, [COMMAND, 'up', '--config', configFile], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    supervisor.stdout.on('data', (chunk) => output.push(String(chunk)));
    supervisor.stderr.on('data', (chunk) => output.push(String(chunk)));
    const cluster = new Cluster(folder, join(folder, 'mnt'), configFile, supervisor, output);
    try {
      await until('the ready line', async () => {
        if (supervisor.exitCode !== null)
          throw new Error(`nmrfs up ended with ${supervisor.exitCode}: ${output.join('')}`);
        return output.join('').includes(READY);
      });
    } catch (error) {
      await cluster.destroy();
      throw error;
    }
    return cluster;
  }

  /** Where the servers write their logs. */
  get logFolder(): string {
    return join(this.folder, 'run', 'logs');
  }

  /** What `nmrfs up` has printed so far. */
  get printed(): string {
    return this.#output.join('');
  }

  /** Runs an nmrfs subcommand on this cluster. */
  command(...parameters: string[]): Promise<Outcome> {
    if (HARMFUL.has(parameters[0])) this.#isHarmed = true;
    return run(process.execPath, [COMMAND, ...parameters, '--config', this.configFile], this.folder);
  }

  /** The same, and fails the test when it fails. */
  async must(...parameters: string[]): Promise<string> {
    const outcome = await this.command(...parameters);
    if (outcome.status === 0) return outcome.stdout;
    const said = outcome.stderr || outcome.stdout;
    throw new Error(`nmrfs ${parameters.join(' ')}: ${said}\nnmrfs up has printed:\n${this.printed}`);
  }

  /** A shell command line in the mount point. It can't hang the test: it is given up after a while, with status 124. */
  shell(line: string): Promise<Outcome> {
    return run('timeout', ['-k', '5', '50', 'bash', '--norc', '-c', line], this.mountPoint);
  }

  /** Asks the mediator in this very process: a command for each question costs half a second of a processor. */
  async #ask<T>(question: (admin: AdminService) => Promise<T>): Promise<T> {
    return withAdmin(await loadConfig(this.configFile), question);
  }

  status(): Promise<ClusterStatus> {
    return this.#ask((admin) => admin.status({}));
  }

  /** Ends the processes of data servers, as `nmrfs terminate` does, and waits until the mediator knows. */
  async terminate(...servers: string[]): Promise<void> {
    this.#isHarmed = true;
    await this.#ask(async (admin) => {
      for (const server of servers) await admin.terminate({ server });
    });
    await this.untilState('down', ...servers);
  }

  /** A new process for each of the data servers, as `nmrfs restart` gives one. */
  async restart(servers: string | string[], { blank = false } = {}): Promise<void> {
    this.#isHarmed = true;
    await this.#ask(async (admin) => {
      for (const server of [servers].flat()) await admin.restart({ server, blank }, { deadlineMs: SLOW_CALL_MS });
    });
  }

  /** Replaces all blocks of a file by wrong bytes on these data servers, as `nmrfs corrupt` does. */
  async corrupt(path: string, ...servers: string[]): Promise<void> {
    this.#isHarmed = true;
    await this.#ask(async (admin) => {
      for (const server of servers) await admin.corrupt({ path, server }, { deadlineMs: SLOW_CALL_MS });
    });
  }

  /** Changes a setting that can change while all run. */
  async configure(key: string, value: string): Promise<void> {
    await this.#ask((admin) => admin.configure({ key, value }));
  }

  /** The process of a server, for a test that harms it. */
  async pidOf(server: string): Promise<number> {
    this.#isHarmed = true;
    for (const entry of await readdir('/proc')) {
      const pid = Number(entry);
      if (!Number.isInteger(pid)) continue;
      // A process may end while we look.
      const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
      if (words.includes('serve') && words.includes(server) && words.includes(this.configFile)) return pid;
    }
    throw new Error(`${server} has no process`);
  }

  /** Waits until these servers (all of them when none is named) are in that state. */
  async untilState(state: DataServerState, ...names: string[]): Promise<void> {
    const concerned = (name: string) => names.length === 0 || names.includes(name);
    const reached = async () => {
      const { dataservers } = await this.status();
      return dataservers.every((server) => !concerned(server.name) || server.state === state);
    };
    await until(`${names.join(', ') || 'all servers'} ${state}`, reached, REBUILD_TIMEOUT_MS);
  }

  /** length:hash of each block that a server holds, by key. */
  async contents(server: string): Promise<Record<string, string>> {
    const listed = await this.#list(server);
    return Object.fromEntries(
      listed.map(({ inode, index, version, length, hash }) => [`${inode}/${index}/${version}`, `${length}:${hash}`]),
    );
  }

  /** How many files a server holds blocks of although no name leads to them. */
  async nameless(server: string): Promise<number> {
    const nameless = (await this.#list(server)).filter(({ path }) => path === null);
    return new Set(nameless.map(({ inode }) => inode)).size;
  }

  async #list(server: string): Promise<(ListEntry & { path: string | null })[]> {
    const listed: (ListEntry & { path: string | null })[] = [];
    await this.#ask(async (admin) => {
      let page = await admin.listContents({ server, limit: CONTENTS_PAGE });
      listed.push(...page.entries);
      while (page.next !== undefined) {
        page = await admin.listContents({ server, after: page.next, limit: CONTENTS_PAGE });
        listed.push(...page.entries);
      }
    });
    return listed;
  }

  /** Waits until all the named servers hold the very same blocks. */
  async untilEqual(...names: string[]): Promise<void> {
    let last = '';
    await until(`equal contents of ${names.join(', ')}`, async () => {
      const all = await Promise.all(names.map((name) => this.contents(name)));
      last = JSON.stringify(all);
      return all.every((each) => JSON.stringify(each) === JSON.stringify(all[0]));
    }).catch((error) => {
      throw new Error(`${error}: ${last}`);
    });
  }

  /** Stops everything in order; the folder stays for `resume`. */
  async stop(): Promise<void> {
    if (this.#supervisor.exitCode === null && this.#supervisor.signalCode === null) {
      const ended = new Promise<void>((resolve) => this.#supervisor.once('exit', () => resolve()));
      this.#supervisor.kill('SIGINT');
      const gaveUp = setTimeout(() => this.#supervisor.kill('SIGKILL'), STEP_TIMEOUT_MS);
      await ended;
      clearTimeout(gaveUp);
    }
  }

  /** Ends `nmrfs up` as a crash would. Its servers end by themselves then; `resume` waits for that. */
  async killSupervisor(): Promise<void> {
    this.#isHarmed = true;
    const ended = new Promise<void>((resolve) => this.#supervisor.once('exit', () => resolve()));
    this.#supervisor.kill('SIGKILL');
    await ended;
  }

  /** Stops everything and removes the folder. */
  async destroy(): Promise<void> {
    await this.stop();
    // A mount that survived its server must not survive the test.
    const mounts = await readFile('/proc/mounts', 'utf8');
    if (mounts.includes(this.mountPoint)) await run('umount', ['-l', this.mountPoint], '/');
    await noteTrouble(this.logFolder, this.#isHarmed ? 'harmed' : 'healthy');
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Polls until the condition holds; an error of the condition ends the wait. */
export async function until(
  what: string,
  condition: () => Promise<boolean>,
  timeoutMs = STEP_TIMEOUT_MS,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Runs a program to its end; one that takes longer than `timeoutMs` is killed and has failed. */
export function run(
  file: string,
  parameters: string[],
  directory: string,
  timeoutMs = STEP_TIMEOUT_MS,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { cwd: directory, maxBuffer: 256 * 1024 * 1024, timeout: timeoutMs };
    execFile(file, parameters, options, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ status, stdout, stderr });
    });
  });
}

/** Whether there is such a process. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function configText({
  servers,
  metaservers = 1,
  metadataProtocol = 'raft',
  mediators = 1,
  readQuorum,
  writeQuorum,
  binding,
  attributeTimeoutMs,
  maximumDirtyMebibytes,
  extraConfig,
}: ClusterOptions): Promise<string> {
  const ports = await freePorts(servers + metaservers + mediators);
  const lines = [
    ...mediatorLines(ports.splice(0, mediators)),
    `metadataProtocol: ${metadataProtocol}`,
    ...serverLines('metaservers', 'meta', ports.slice(0, metaservers)),
    ...serverLines('dataservers', 'data', ports.slice(metaservers)),
  ];
  if (readQuorum !== undefined) lines.push(`readQuorum: ${readQuorum}`);
  if (writeQuorum !== undefined) lines.push(`writeQuorum: ${writeQuorum}`);
  lines.push(
    'testHooks: true',
    'runDirectory: run',
    'mount:',
    '  directory: mnt',
    `  binding: ${binding ?? 'kernel'}`,
    `  attributeTimeoutMs: ${attributeTimeoutMs ?? 'auto'}`,
    `  maximumDirtyBytes: ${maximumDirtyMebibytes ?? 64} MiB`,
  );
  if (extraConfig !== undefined) lines.push(extraConfig);
  return `${lines.join('\n')}\n`;
}

function mediatorLines(ports: readonly number[]): string[] {
  if (ports.length === 1) return [`mediator: { address: "127.0.0.1:${ports[0]}" }`];
  return ['mediators:', ...ports.map((port, at) => `  - { name: mediator${at + 1}, address: "127.0.0.1:${port}" }`)];
}

function serverLines(list: string, name: string, ports: readonly number[]): string[] {
  const server = (port: number, number: number) =>
    `  - { name: ${name}${number}, address: "127.0.0.1:${port}", directory: data/${name}${number} }`;
  return [`${list}:`, ...ports.map((port, at) => server(port, at + 1))];
}

/**
 * Ports that nobody listens at. They are below those that the system gives to outgoing connections, which could take one
 * before a server does. Runs of tests that go on side by side take them from ranges of their own (NMRFS_TEST_LANE, from
 * tools/test-runs.mjs): until a server has started, and while it is down, its port looks free.
 */
export async function freePorts(count: number): Promise<number[]> {
  const [lane = 0, lanes = 1] = (process.env.NMRFS_TEST_LANE ?? '0/1').split('/').map(Number);
  const each = Math.floor((LOWEST_OUTGOING_PORT - LOWEST_PORT) / lanes);
  const lowest = LOWEST_PORT + lane * each;
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(lowest, lowest + each);
    if (!ports.includes(port) && (await isFree(port))) ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
