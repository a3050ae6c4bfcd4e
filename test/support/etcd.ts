// An etcd of a test's own: one member or three, on loopback and free ports, each with a folder for its data. Its processes are known
// by number, and none of them outlives `remove`.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts, until } from './cluster.js';

interface Member {
  name: string;
  client: string;
  peer: string;
  process: ChildProcess | null;
  log: string;
}

export class Etcd {
  static readonly PROGRAMS = ['etcd'];

  readonly #members: Member[];
  readonly #folder: string;
  readonly #settings: readonly string[];

  private constructor(folder: string, members: Member[], settings: readonly string[]) {
    this.#folder = folder;
    this.#members = members;
    this.#settings = settings;
  }

  /** @param settings further ones, as --quota-backend-bytes=16777216 */
  static async start(count: number, settings: readonly string[] = []): Promise<Etcd> {
    const folder = await mkdtemp(join(tmpdir(), 'nmrfs-etcd-'));
    const ports = await freePorts(2 * count);
    const members = Array.from({ length: count }, (_, at) => ({
      name: `etcd${at + 1}`,
      client: `http://127.0.0.1:${ports[2 * at]}`,
      peer: `http://127.0.0.1:${ports[2 * at + 1]}`,
      process: null,
      log: '',
    }));
    const etcd = new Etcd(folder, members, settings);
    try {
      await etcd.startAll();
    } catch (error) {
      await etcd.remove();
      throw error;
    }
    return etcd;
  }

  get endpoints(): string[] {
    return this.#members.map(({ client }) => client);
  }

  /** For the file of configuration. */
  configLine(prefix = '/nmrfs'): string {
    return `etcd: { endpoints: [${this.endpoints.map((each) => `"${each}"`).join(', ')}], prefix: ${prefix} }`;
  }

  /** Starts those that do not run. Resolves when etcd answers. */
  async startAll(): Promise<void> {
    for (const member of this.#members) if (member.process === null) this.#spawn(member);
    await this.untilItAnswers();
  }

  async untilItAnswers(): Promise<void> {
    await until('etcd', async () => {
      for (const { process, log } of this.#members) assert.equal(process?.exitCode ?? null, null, log.slice(-2000));
      return (await this.#statuses()).some(({ leader }) => leader !== '0');
    });
  }

  /** Where the member that leads answers, once one does. */
  async leaderEndpoint(): Promise<string> {
    const pid = await this.leaderPid();
    return this.#members.find(({ process }) => process?.pid === pid)?.client ?? assert.fail();
  }

  /** The number of the process of the member that leads, once one does. */
  async leaderPid(): Promise<number> {
    let pid: number | undefined;
    await until('a leader of etcd', async () => {
      const leads = (await this.#statuses()).findIndex(({ id, leader }) => id !== '' && id === leader);
      pid = this.#members[leads]?.process?.pid;
      return pid !== undefined;
    });
    return pid ?? assert.fail();
  }

  /** Kills the process, as a crash would end it; `startAll` starts another one. */
  async kill(pid: number): Promise<void> {
    const member = this.#members.find(({ process }) => process?.pid === pid);
    if (member?.process == null) throw new Error(`${pid} is no member of etcd`);
    await end(member.process);
    member.process = null;
  }

  async killAll(): Promise<void> {
    for (const member of this.#members) {
      if (member.process !== null) await end(member.process);
      member.process = null;
    }
  }

  /** Asks the JSON gateway. */
  async call(path: string, request: object): Promise<Record<string, unknown>> {
    const answer = await fetch(`${this.endpoints[0]}${path}`, { method: 'POST', body: JSON.stringify(request) });
    return (await answer.json()) as Record<string, unknown>;
  }

  async remove(): Promise<void> {
    await this.killAll();
    await rm(this.#folder, { recursive: true });
  }

  #spawn(member: Member): void {
    const { name, client, peer } = member;
    const child = spawn(
      'etcd',
      [
        ...['--name', name, '--data-dir', join(this.#folder, name), '--pre-vote', '--logger', 'zap'],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
        ...['--initial-cluster', this.#members.map((each) => `${each.name}=${each.peer}`).join(',')],
        ...this.#settings,
      ],
      { cwd: this.#folder, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    member.process = child;
    child.stderr.on('data', (chunk) => {
      member.log = `${member.log}${String(chunk)}`.slice(-4000);
    });
  }

  async #statuses(): Promise<{ id: string; leader: string }[]> {
    return Promise.all(
      this.#members.map(async ({ client }) => {
        try {
          const signal = AbortSignal.timeout(2000);
          const answer = await fetch(`${client}/v3/maintenance/status`, { method: 'POST', body: '{}', signal });
          const { header, leader } = (await answer.json()) as { header?: { member_id?: string }; leader?: string };
          return { id: header?.member_id ?? '', leader: leader ?? '0' };
        } catch {
          // One that does not answer leads nobody.
          return { id: '', leader: '0' };
        }
      }),
    );
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGCONT');
  child.kill('SIGKILL');
  await ended;
}
