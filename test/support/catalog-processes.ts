// A catalog of real processes, on free ports of this machine, with its folder; nothing of it is left behind.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts, type Outcome, run, until } from './cluster.js';

const COMMAND = fileURLToPath(new URL('../../bundle/cli/main.js', import.meta.url));

export interface CatalogProcess {
  readonly name: string;
  readonly address: string;
  process: ChildProcess | null;
}

export class CatalogProcesses {
  readonly servers: CatalogProcess[] = [];

  private constructor(
    readonly folder: string,
    readonly configFile: string,
    readonly records: boolean,
  ) {}

  /**
   * Starts all servers, named a, b, c …, and waits until they answer.
   * @param lines of the configuration, besides the servers
   * @param records whether each makes a recording, `recordingOf` its name
   */
  static async start(count: number, lines: readonly string[], records = false): Promise<CatalogProcesses> {
    const folder = await mkdtemp(join(tmpdir(), 'nmrfs-catalog-'));
    const catalog = new CatalogProcesses(folder, join(folder, 'catalog.yaml'), records);
    const ports = await freePorts(count);
    for (const [at, port] of ports.entries()) {
      catalog.servers.push({ name: String.fromCharCode(97 + at), address: `127.0.0.1:${port}`, process: null });
    }
    const listed = catalog.servers.map(
      ({ name, address }) => `  - { name: ${name}, address: "${address}", directory: ${name} }`,
    );
    await writeFile(catalog.configFile, [...lines, 'servers:', ...listed, ''].join('\n'));
    try {
      await catalog.startAll();
    } catch (error) {
      await catalog.remove();
      throw error;
    }
    return catalog;
  }

  recordingOf(name: string): string {
    return join(this.folder, `${name}.jsonl`);
  }

  get addresses(): string {
    return this.servers.map(({ address }) => address).join();
  }

  server(name: string): CatalogProcess {
    const server = this.servers.find((each) => each.name === name);
    if (server === undefined) throw new Error(`there is no server ${name}`);
    return server;
  }

  /** Those that do not run. Resolves when a change could be made. */
  async startAll(): Promise<void> {
    for (const server of this.servers) {
      const recording = this.records ? ['--record', this.recordingOf(server.name)] : [];
      server.process ??= this.#spawn(['serve', this.configFile, server.name, ...recording]);
    }
    await until('the catalog answers', async () => (await answerOf(this.servers[0], '/v1/?list')) !== undefined);
  }

  /** A server that is started with the address of a living one. */
  async join(name: string, living: string): Promise<CatalogProcess> {
    const [port] = await freePorts(1);
    const server: CatalogProcess = { name, address: `127.0.0.1:${port}`, process: null };
    this.servers.push(server);
    server.process = this.#spawn(['join', living, name, server.address, join(this.folder, name)]);
    await until(`${name} answers`, async () => (await answerOf(server, '/v1/?list')) !== undefined);
    return server;
  }

  /** A subcommand of `nmrfs catalog`. */
  command(...parameters: string[]): Promise<Outcome> {
    return run(process.execPath, [COMMAND, 'catalog', ...parameters], this.folder);
  }

  /** Runs a script in the shell. */
  async shell(addresses: string, ...lines: string[]): Promise<Outcome> {
    const script = join(this.folder, 'script.txt');
    await writeFile(script, `${lines.join('\n')}\n`);
    return this.command('shell', addresses, script);
  }

  async kill(name: string): Promise<void> {
    const server = this.server(name);
    const { process } = server;
    server.process = null;
    await end(process);
  }

  async remove(): Promise<void> {
    await Promise.all(this.servers.map(({ process }) => end(process)));
    await rm(this.folder, { recursive: true, force: true });
  }

  #spawn(parameters: readonly string[]): ChildProcess {
    const options = { cwd: this.folder, stdio: 'ignore' } as const;
    return spawn(process.execPath, [COMMAND, 'catalog', ...parameters], options);
  }
}

async function answerOf(server: CatalogProcess | undefined, path: string): Promise<string | undefined> {
  if (server === undefined) return undefined;
  try {
    const response = await fetch(`http://${server.address}${path}`, { signal: AbortSignal.timeout(1000) });
    return response.ok ? await response.text() : undefined;
  } catch {
    // It is not there yet.
    return undefined;
  }
}

async function end(process: ChildProcess | null): Promise<void> {
  if (process === null || process.exitCode !== null || process.signalCode !== null) return;
  const ended = new Promise((resolve) => process.once('exit', resolve));
  process.kill('SIGKILL');
  await ended;
}
