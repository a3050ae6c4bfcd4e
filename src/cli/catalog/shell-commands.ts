// The commands of the catalog's shell.
import { CatalogError } from '../../catalog/map/errors.js';
import { checkPath } from '../../catalog/map/paths.js';
import { CommandFailure, usageError } from '../failure.js';
import type { Answer, CatalogClient } from './catalog-client.js';

export interface ShellCommand {
  readonly usage: string;
  readonly help: string;
  /** @returns what is printed */
  run(client: CatalogClient, words: readonly string[]): Promise<string>;
}

export const COMMANDS: Readonly<Record<string, ShellCommand>> = {
  create: {
    usage: 'create PATH [VALUE]',
    help: 'makes a path whose parent is there',
    async run(client, words) {
      const [path, value = ''] = take(words, 1, 2);
      return `version ${Number(done(await client.request('POST', urlOf(path), value)).version)}`;
    },
  },
  set: {
    usage: 'set PATH VALUE [VERSION]',
    help: 'gives a path a value, if it has that version',
    async run(client, words) {
      const [path, value, version] = take(words, 2, 3);
      return `version ${Number(done(await client.request('PUT', urlOf(path), value, ifMatch(version))).version)}`;
    },
  },
  get: {
    usage: 'get PATH',
    help: 'prints the value',
    async run(client, words) {
      const [path] = take(words, 1, 1);
      const { value, base64, version, stale } = done(await client.request('GET', urlOf(path)));
      const shown = typeof value === 'string' ? value : `base64 ${String(base64)}`;
      return `${shown}  (version ${Number(version)})${typeof stale === 'string' ? `\nmay be older than what was seen: ${stale}` : ''}`;
    },
  },
  list: {
    usage: 'list [PATH]',
    help: 'prints the children',
    async run(client, words) {
      const [path = '/'] = take(words, 0, 1);
      const { children } = done(await client.request('GET', `${urlOf(path)}?list`));
      return (children as string[]).join('\n');
    },
  },
  remove: {
    usage: 'remove PATH [VERSION]',
    help: 'removes a path that has no children, if it has that version',
    async run(client, words) {
      const [path, version] = take(words, 1, 2);
      done(await client.request('DELETE', urlOf(path), undefined, ifMatch(version)));
      return 'removed';
    },
  },
  status: {
    usage: 'status',
    help: 'says how the server is that answers, and what the protocol promises',
    async run(client, words) {
      take(words, 0, 0);
      const { name, protocol, role, promise, details } = done(await client.request('GET', '/status'));
      const lines = Object.entries(details as Record<string, unknown>).map(
        ([key, value]) => `  ${key}: ${String(value)}`,
      );
      return [
        `${String(name)} at ${client.address}: ${String(role)}, by ${String(protocol)}`,
        ...lines,
        String(promise),
      ].join('\n');
    },
  },
  members: {
    usage: 'members',
    help: 'prints all servers',
    async run(client, words) {
      take(words, 0, 0);
      const { servers } = done(await client.request('GET', '/status'));
      const members = servers as { name: string; address: string; role: string }[];
      return members.map(({ name, address, role }) => `${name}  ${address}  ${role}`).join('\n');
    },
  },
  add: {
    usage: 'add NAME ADDRESS',
    help: 'tells all servers where another one will be; «nmrfs catalog join» starts it',
    async run(client, words) {
      const [name, address] = take(words, 2, 2);
      done(await client.request('POST', `/add?${new URLSearchParams({ name: name ?? '', address: address ?? '' })}`));
      return `${name} is known`;
    },
  },
  'remove-server': {
    usage: 'remove-server NAME',
    help: 'takes a server out of the catalog',
    async run(client, words) {
      const [name] = take(words, 1, 1);
      done(await client.request('POST', `/remove?${new URLSearchParams({ name: name ?? '' })}`));
      return `${name} is out`;
    },
  },
  stop: {
    usage: 'stop NAME',
    help: 'ends a server, in order',
    async run(client, words) {
      const [name] = take(words, 1, 1);
      const { servers } = done(await client.request('GET', '/status'));
      const server = (servers as { name: string; address: string }[]).find((each) => each.name === name);
      if (server === undefined) throw new CommandFailure(`${name}: there is no such server`);
      done(await client.at(server.address, 'POST', '/stop'));
      return `${name} is stopping`;
    },
  },
  help: {
    usage: 'help',
    help: 'prints this',
    async run(_client, words) {
      take(words, 0, 0);
      return helpText();
    },
  },
};

function helpText(): string {
  const width = Math.max(...Object.values(COMMANDS).map(({ usage }) => usage.length));
  return [
    ...Object.values(COMMANDS).map(({ usage, help }) => `${usage.padEnd(width)}  ${help}`),
    `${'quit'.padEnd(width)}  ends the shell`,
    'a value with spaces stands in quotes; a line that begins with # is a comment',
  ].join('\n');
}

/** Throws a usage error for too few or too many. */
function take(words: readonly string[], least: number, most: number): string[] {
  const [name = '', ...parameters] = words;
  if (parameters.length < least || parameters.length > most)
    throw usageError(`usage: ${COMMANDS[name]?.usage ?? name}`);
  return parameters;
}

function done({ status, content }: Answer): Answer['content'] {
  if (status >= 200 && status < 300) return content;
  throw new CommandFailure(String(content.message ?? `HTTP status ${status}`));
}

/** Throws CommandFailure for what is no path: URLs lose `.` and `..`, encoded or not, and would ask for something else. */
function urlOf(path: string | undefined): string {
  try {
    return `/v1${checkPath(path).split('/').map(encodeURIComponent).join('/')}`;
  } catch (error) {
    throw error instanceof CatalogError ? new CommandFailure(`${error.code}: ${error.message}`) : error;
  }
}

function ifMatch(version: string | undefined): Record<string, string> {
  return version === undefined ? {} : { 'if-match': `"${version}"` };
}
