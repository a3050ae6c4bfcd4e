// A PostgreSQL server of a test's own: as a user without privileges, reached
// over a socket in a folder only. Its processes are known by number, and none
// of them outlives `remove`.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { run, until } from './cluster.js';
import { findProgram } from './programs.js';

/** The server refuses to run as root. */
const USER = 'nobody';
/** The name of the database's superuser. */
const ROLE = 'tester';
const SETTINGS = ['listen_addresses=', 'max_connections=20', 'shared_buffers=16MB'];
/** Where postmaster.pid has the number of its shared memory segment, behind the key. */
const SEGMENT_LINE = 6;

export class Postgres {
  static readonly PROGRAMS = [
    'setpriv',
    'initdb',
    'postgres',
    'psql',
    'createdb',
    'pgbench',
    'pg_amcheck',
    'pg_checksums',
  ];

  readonly data: string;
  #server: ChildProcess | undefined;
  #log = '';

  readonly #sockets: string;

  /**
   * @param folder where its data will be
   * @param sockets a folder for its socket, which everybody can reach
   */
  constructor(folder: string, sockets: string) {
    this.#sockets = sockets;
    this.data = join(folder, 'postgres');
  }

  /** Makes an empty database whose pages have checksums. */
  async initialize(): Promise<void> {
    await mkdir(this.data, { mode: 0o700 });
    await mkdir(this.#sockets, { recursive: true });
    await chmod(this.#sockets, 0o755);
    const made = await run('chown', [USER, this.data, this.#sockets], '/');
    assert.equal(made.status, 0, made.stderr);
    await this.run('initdb', '-D', this.data, '-U', ROLE, '-A', 'trust', '--data-checksums', '--no-instructions');
  }

  /** Resolves when it takes connections, recovery included. */
  async start(): Promise<void> {
    const settings = [...SETTINGS, `unix_socket_directories=${this.#sockets}`].flatMap((setting) => ['-c', setting]);
    const [file = '', ...parameters] = this.#asUser('postgres', '-D', this.data, ...settings);
    const server = spawn(file, parameters, { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
    this.#server = server;
    this.#log = '';
    server.stderr.on('data', (chunk) => {
      this.#log += String(chunk);
    });
    await until('the database', async () => {
      assert.equal(server.exitCode, null, this.#log);
      return this.#log.includes('ready to accept connections');
    });
  }

  /** SIGINT: clean; SIGQUIT: at once, without a checkpoint. */
  async stop(signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    server.kill(signal);
    await until('the end of the database', async () => hasEnded(server));
    this.#server = undefined;
  }

  /** Kills all its processes, and leaves nothing of them in memory, as the end of a machine does. */
  async kill(): Promise<void> {
    const server = this.#server;
    if (server?.pid === undefined || hasEnded(server)) return;
    const children = (await readFile(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8')).trim().split(' ');
    const all = [server.pid, ...children.filter((pid) => pid !== '').map(Number)];
    const [, segment] = ((await readFile(join(this.data, 'postmaster.pid'), 'utf8')).split('\n')[SEGMENT_LINE] ?? '')
      .trim()
      .split(/ +/);
    for (const pid of all) killIfThere(pid);
    await until('the end of its processes', async () => {
      const alive = await Promise.all(all.map(isAlive));
      return hasEnded(server) && !alive.includes(true);
    });
    this.#server = undefined;
    if (segment !== undefined) await run('ipcrm', ['-m', segment], '/');
  }

  /** Ends whatever still runs. */
  async remove(): Promise<void> {
    await this.stop('SIGQUIT').catch(() => this.kill());
  }

  /** Runs one of its programs, which must succeed; answers what it printed. */
  async run(program: string, ...parameters: string[]): Promise<string> {
    const [file = '', ...all] = this.#asUser(program, ...parameters);
    const { status, stdout, stderr } = await run('timeout', ['-k', '5', '100', file, ...all], '/', 120_000);
    assert.equal(status, 0, `status ${status} of ${program}: ${stdout}${stderr}${this.#log.slice(-4000)}`);
    return stdout;
  }

  /** The one row that the query answers, its fields with | between them. */
  query(text: string): Promise<string> {
    return this.run('psql', '-X', '-At', '-v', 'ON_ERROR_STOP=1', '-c', text, 'bench');
  }

  #asUser(program: string, ...parameters: string[]): string[] {
    const file = findProgram(program) ?? program;
    const path = `PATH=${dirname(file)}${delimiter}/usr/bin${delimiter}/bin`;
    const environment = [path, 'HOME=/', 'LC_ALL=C', `PGHOST=${this.#sockets}`, `PGUSER=${ROLE}`];
    const identity = ['--reuid', USER, '--regid', '65534', '--clear-groups'];
    return ['setpriv', ...identity, 'env', '-i', ...environment, file, ...parameters];
  }
}

function hasEnded(server: ChildProcess): boolean {
  return server.exitCode !== null || server.signalCode !== null;
}

/** The others end by themselves as soon as the first one is gone. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** A process that nobody has waited for yet is not alive any more. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return stat !== null && !/\) [ZX] /.test(stat);
}
