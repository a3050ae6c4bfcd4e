// What test_corrupt, test_crash and test_restart share: the running system,
// asked by XML-RPC only, like any other client, and the outcome to expect.
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../../src/cli/config-file.js';
import { readRecord } from '../../src/cli/supervisor/instance.js';
import type { Config, ServerConfig } from '../../src/config.js';
import { counted } from '../../src/explain/words.js';
import { callXmlRpc, type XmlRpcValue } from '../../src/protocol/http/xml-rpc.js';

/** A file operation that takes longer hangs, which is a failure of its own. */
const FILE_DEADLINE_SECONDS = '60';
const WAIT_DEADLINE_MS = 120_000;
/** Longer listings are cut for the eye. */
const SHOWN_ENTRIES = 20;

/** One line of list_contents. */
export interface Entry {
  key: string;
  version: number;
  length: number;
  hash: string;
  modified: Date;
}

export interface ServerState {
  name: string;
  state: string;
}

export interface SystemState {
  readQuorum: number;
  writeQuorum: number;
  servers: ServerState[];
}

export interface Outcome {
  succeeded: boolean;
  output: string;
}

export class Session {
  #asExpected = true;
  #hasMadeFile = false;
  /** The first part of the keys of the file's blocks. */
  #inode = 0;

  readonly #config: Config;

  private constructor(
    config: Config,
    /** The data servers that are touched. */
    readonly servers: ServerConfig[],
    /** The file in the mount. */
    readonly path: string,
    /** The same as the mediator calls it. */
    readonly innerPath: string,
  ) {
    this.#config = config;
  }

  /**
   * Reads the command line: [SERVERS [FILE]] [--config F]. Makes the file when it is missing; without FILE it is one that
   * nobody else can mean.
   */
  static async open(name: string): Promise<Session> {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { config: { type: 'string', default: './nmrfs.yaml' }, help: { type: 'boolean', default: false } },
    });
    if (values.help || positionals.length > 2) {
      process.stdout.write(
        `Usage: npm run ${name} -- [SERVERS] [FILE] [--config F]; by default data1,data2 and a file of its own\n` +
          'FILE is written to. A file that was not there before is removed at the end.\n',
      );
      process.exit(values.help ? 0 : 2);
    }
    const config = await loadConfig(values.config);
    const [names = 'data1,data2', file = `${name}-${process.pid}.txt`] = positionals;
    const servers = [...new Set(names.split(','))].map((wanted) => {
      const found = config.dataservers.find((server) => server.name === wanted);
      if (found === undefined) {
        throw new Error(`${wanted}: there is no such data server in ${config.file}`);
      }
      return found;
    });
    const mount = (await readRecord(config))?.mountDirectory ?? config.mount.directory;
    const session = new Session(config, servers, join(mount, file), join('/', file));
    await session.#makeFile();
    session.#inode = (await stat(session.path)).ino;
    return session;
  }

  /** All data servers of the configuration. */
  get dataservers(): readonly ServerConfig[] {
    return this.#config.dataservers;
  }

  /** Calls a method of a data server. */
  call(server: ServerConfig, method: string, ...parameters: XmlRpcValue[]): Promise<XmlRpcValue> {
    return callXmlRpc(server.address, method, parameters, this.#options());
  }

  /** Calls a method of the mediator. */
  callMediator(method: string, ...parameters: XmlRpcValue[]): Promise<XmlRpcValue> {
    return callXmlRpc(this.#config.mediators[0]?.address ?? '', method, parameters, this.#options());
  }

  /** Everything that the server holds. */
  async list(server: ServerConfig): Promise<Entry[]> {
    const answer = await this.call(server, 'list_contents');
    if (!Array.isArray(answer)) {
      throw new Error(`${server.name}.list_contents() answered no list`);
    }
    return answer.map(toEntry);
  }

  /**
   * Prints what the server holds of the file, in the manner of the first systems of this kind; answers all that it holds,
   * undefined when the server is down.
   */
  async showList(server: ServerConfig, when: string): Promise<Entry[] | undefined> {
    this.say(`data in ${server.name} ${when} (${server.name}.list_contents()):`);
    try {
      const entries = await this.list(server);
      const ours = this.ofFile(entries);
      const others = entries.length - ours.length;
      const rest = others === 0 ? '' : ` and ${counted(others, 'block')} of other files`;
      this.say(formatEntries(ours) + rest);
      return entries;
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  /** Whether all data servers have forgotten what was deleted or replaced; while one is down, nobody waits for it. */
  async isTidy(): Promise<boolean> {
    const { servers } = await this.state();
    if (servers.some(({ state }) => state !== 'up')) return true;
    const [metaserver] = this.#config.metaservers;
    if (metaserver === undefined) return true;
    const status = await callXmlRpc(metaserver.address, 'status', [], this.#options());
    return read(status, 'garbage') === 0;
  }

  /** N, Qr, Qw and the state of each server, as the mediator sees it now. */
  async state(): Promise<SystemState> {
    const status = await this.callMediator('status');
    const servers = read(status, 'dataservers');
    if (!Array.isArray(servers)) {
      throw new Error('the mediator answered no status');
    }
    return {
      readQuorum: Number(read(status, 'readQuorum')),
      writeQuorum: Number(read(status, 'writeQuorum')),
      servers: servers.map((server) => ({ name: String(read(server, 'name')), state: String(read(server, 'state')) })),
    };
  }

  /** What a person types to start these servers again, with what they hold. */
  restartCommand(names: readonly string[]): string {
    const file = relative(process.cwd(), this.#config.file);
    const option = file === 'nmrfs.yaml' ? '' : ` --config ${file}`;
    return names.map((name) => `npx nmrfs restart ${name}${option}`).join('; ');
  }

  /** Entries of the blocks of the file. */
  ofFile(entries: readonly Entry[]): Entry[] {
    return entries.filter(({ key }) => key.startsWith(`${this.#inode}/`));
  }

  /** cat FILE, through the mount. */
  read(): Promise<Outcome> {
    return shell('cat -- "$1"', this.path);
  }

  /** echo TEXT > FILE, through the mount. */
  write(text: string): Promise<Outcome> {
    return shell('echo "$2" > "$1"', this.path, text);
  }

  /** Reads and writes through the mount, and says whether both went as the configuration promises. */
  async tryReadAndWrite(expected: { read: boolean; write: boolean; content: string }): Promise<void> {
    const read = await this.read();
    this.say(`\n$ cat ${this.path}\n${read.output.trimEnd()}`);
    this.expect(expected.read ? 'the read succeeds' : 'the read is refused', read.succeeded === expected.read);
    if (read.succeeded) {
      this.expect('the bytes read are the right ones', read.output === expected.content);
    }
    const text = `written at ${new Date().toISOString()}`;
    const write = await this.write(text);
    this.say(`\n$ echo "${text}" > ${this.path}\n${write.output.trimEnd()}`);
    this.expect(expected.write ? 'the write succeeds' : 'the write is refused', write.succeeded === expected.write);
    const again = await this.read();
    if (write.succeeded) {
      this.expect('the new content is read back', again.output === `${text}\n`);
    } else if (expected.read) {
      this.expect('the old content is still there', again.output === expected.content);
    }
  }

  expect(what: string, fulfilled: boolean): void {
    this.say(`${fulfilled ? 'as promised' : 'NOT AS PROMISED'}: ${what}`);
    this.#asExpected &&= fulfilled;
  }

  say(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  /** Polls until the condition holds; answers whether it did in time. */
  async until(condition: () => Promise<boolean>): Promise<boolean> {
    const end = Date.now() + WAIT_DEADLINE_MS;
    while (!(await condition())) {
      if (Date.now() > end) {
        return false;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return true;
  }

  /** Removes the file if it was not there before; for this no data server is needed. */
  async end(): Promise<void> {
    if (!this.#hasMadeFile) return;
    const removed = await shell('rm -f -- "$1"', this.path);
    this.expect(`${this.path} is removed again`, removed.succeeded);
  }

  /** The status that the tool ends with. */
  get exitStatus(): number {
    return this.#asExpected ? 0 : 1;
  }

  async #makeFile(): Promise<void> {
    const found = await shell('test -e "$1"', this.path);
    if (found.succeeded) return;
    this.say(`NOTE: ${this.path} is made now, and removed at the end`);
    // Nothing is overwritten, or removed at the end, that comes into being at this moment.
    const made = await shell('set -C; : > "$1"', this.path);
    this.#hasMadeFile = made.succeeded;
    const written = made.succeeded ? await this.write('1234') : made;
    if (!written.succeeded) {
      await this.end();
      throw new Error(`${this.path} can't be made: ${written.output.trim()}${await this.#whoIsDown()}`);
    }
  }

  /** Further lines for a failure: the servers that are down, and what starts them again. */
  async #whoIsDown(): Promise<string> {
    const state = await this.state().catch(() => undefined);
    const names = (state?.servers ?? []).filter((server) => server.state === 'down').map(({ name }) => name);
    if (names.length === 0) return '';
    return `\nDown: ${names.join(', ')}. To start them again: ${this.restartCommand(names)}`;
  }

  #options(): { secret?: string } {
    return this.#config.secret === undefined ? {} : { secret: this.#config.secret };
  }
}

/** Runs a tool to its end and sets the exit status. */
export async function runTool(name: string, tool: (session: Session) => Promise<void>): Promise<void> {
  try {
    const session = await Session.open(name);
    try {
      await tool(session);
    } finally {
      await session.end();
    }
    process.exitCode = session.exitStatus;
  } catch (error) {
    process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}

/** What two replicas must have in common. */
export function fingerprint(entries: readonly Entry[]): string {
  return entries.map(({ key, version, length, hash }) => `${key} ${version} ${length} ${hash}`).join('\n');
}

function toEntry(row: XmlRpcValue): Entry {
  const [key, version, length, hash, modified] = Array.isArray(row) ? row : [];
  if (!(modified instanceof Date)) {
    throw new Error('list_contents answered an entry without a time');
  }
  const name = key instanceof Uint8Array ? Buffer.from(key).toString('utf8') : String(key);
  return { key: name, version: Number(version), length: Number(length), hash: String(hash), modified };
}

function formatEntries(entries: readonly Entry[]): string {
  const rows = entries.slice(0, SHOWN_ENTRIES).map(({ key, version, length, hash, modified }) => {
    const time = modified.toISOString().replaceAll('-', '').slice(0, 17);
    return `['${key}', ${version}, ${length}, '${hash}', <DateTime '${time}'>]`;
  });
  const more = entries.length > SHOWN_ENTRIES ? [`… and ${entries.length - SHOWN_ENTRIES} more`] : [];
  return `[${[...rows, ...more].join(',\n ')}]`;
}

/** A line of shell with arguments $1, $2 …; it can't hang this tool. */
function shell(line: string, ...parameters: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const command = ['-k', '5', FILE_DEADLINE_SECONDS, 'bash', '--norc', '-c', line, 'bash', ...parameters];
    execFile('timeout', command, { maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      resolve({ succeeded: error === null, output: error === null ? stdout : stdout + stderr });
    });
  });
}

/** A member of what a server answered. */
function read(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
