// The configuration file on disk: read it, make it, and change one key so
// that every comment stays.
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Document, isMap, isSeq, parseDocument, visit } from 'yaml';
import { suggestion } from '../config/issues.js';
import { parsePath } from '../config/path-text.js';
import { knownKeys } from '../config/schema.js';
import { type Config, ConfigError, parseConfig, type ServerConfig } from '../config.js';
import { hasCode } from '../runtime/caught-errors.js';

const TEXT_KEYS: ReadonlySet<string> = new Set([
  'cluster',
  'name',
  'address',
  'directory',
  'secret',
  'runDirectory',
  'password',
  'prefix',
]);

/** Reads and checks the file. Throws ConfigError, also when there is no such file. */
export async function loadConfig(file: string): Promise<Config> {
  const absolute = resolve(file);
  return parseConfig(await readText(absolute), absolute);
}

/** Writes a new configuration file; refuses to overwrite one. */
export async function createConfigFile(file: string, text: string): Promise<void> {
  try {
    const handle = await open(file, 'wx', 0o644);
    await handle.writeFile(text);
    await handle.sync();
    await handle.close();
  } catch (error) {
    if (hasCode(error, 'EEXIST')) {
      throw new ConfigError([`${file}: is there already; it stays as it is`]);
    }
    throw error;
  }
}

/**
 * Sets one key to a value written as YAML (5, true, 128 KiB). The new file is checked as a whole before it
 * replaces the old one, which happens at once or not at all. Answers the checked configuration.
 */
export async function setConfigKey(file: string, key: string, value: string): Promise<Config> {
  const absolute = resolve(file);
  const text = await readText(absolute);
  const changed = withKey(text, key, value);
  const config = parseConfig(changed, absolute);
  await replace(absolute, changed);
  return config;
}

/** Takes a server out of a list. The new file is checked as a whole before it replaces the old one. */
export async function removeServer(file: string, list: 'metaservers' | 'dataservers', name: string): Promise<void> {
  const absolute = resolve(file);
  const document = parseDocument(await readText(absolute));
  const entries = document.get(list);
  const at = isSeq(entries) ? entries.items.findIndex((entry) => isMap(entry) && entry.get('name') === name) : -1;
  if (at < 0) throw new ConfigError([`${list}: ${name} is not there`]);
  document.deleteIn([list, at]);
  const changed = document.toString({ lineWidth: 0 });
  parseConfig(changed, absolute);
  await replace(absolute, changed);
}

/** Whether the file would fit with one more server in a list. Throws ConfigError when not. */
export async function checkNewServer(file: string, list: 'metaservers', server: ServerConfig): Promise<void> {
  const absolute = resolve(file);
  parseConfig(withServer(await readText(absolute), list, server), absolute);
}

/** Puts a server at the end of a list. The new file is checked as a whole before it replaces the old one. */
export async function addServer(file: string, list: 'metaservers', server: ServerConfig): Promise<Config> {
  const absolute = resolve(file);
  const changed = withServer(await readText(absolute), list, server);
  const config = parseConfig(changed, absolute);
  await replace(absolute, changed);
  return config;
}

function withServer(text: string, list: string, { name, address, directory }: ServerConfig): string {
  const document = parseDocument(text);
  document.addIn([list], document.createNode({ name, address, directory }));
  return document.toString({ lineWidth: 0 });
}

/** Whether the file would still fit with that key set. Throws ConfigError when not. */
export async function checkConfigKey(file: string, key: string, value: string): Promise<void> {
  const absolute = resolve(file);
  parseConfig(withKey(await readText(absolute), key, value), absolute);
}

/** The text with that key set, everything else, comments too, as it was. */
export function withKey(text: string, key: string, value: string): string {
  const path = parsePath(key);
  checkKey(path);
  const document = parseDocument(text);
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (path.length > 1 && typeof path[1] === 'string' && parent === undefined) {
    document.setIn(path.slice(0, -1), document.createNode({}));
  } else if (!isMap(parent)) {
    throw new ConfigError([`${key}: there is no such entry in the file`]);
  }
  document.setIn(path, typedValue(path, value));
  return document.toString({ lineWidth: 0 });
}

/** A value as a person types it: YAML, but for the keys that take a text only and for what is none. */
function typedValue(path: readonly (string | number)[], text: string): unknown {
  const document = parseDocument(text);
  const parsed: unknown = document.errors.length > 0 || hasAlias(document) ? text : document.toJS();
  return typeof parsed !== 'string' && TEXT_KEYS.has(String(path.at(-1))) ? text : parsed;
}

/** A reference to what is not there: a single value can't refer to anything. */
function hasAlias(document: Document): boolean {
  let found = false;
  visit(document, {
    Alias() {
      found = true;
    },
  });
  return found;
}

/** A key as the file names it, in words of the schema. Throws ConfigError with the nearest known key. */
function checkKey(path: readonly (string | number)[]): void {
  path.forEach((part, depth) => {
    if (typeof part === 'string') {
      const known = knownKeys(path.slice(0, depth));
      if (!known.includes(part)) {
        throw new ConfigError([`${path.join('.')}: unknown key; ${suggestion(part, known)}`]);
      }
    }
  });
}

/** The value that a key has, defaults included, as plain data. Throws ConfigError for an unknown key. */
export function configValue(config: Config, key: string): unknown {
  const path = parsePath(key);
  checkKey(path);
  const renamed = path[0] === 'blockSize' ? ['blockSizeBytes'] : path;
  return renamed.reduce<unknown>(
    (value, part) => (typeof value === 'object' && value !== null ? Reflect.get(value, part) : undefined),
    config,
  );
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) {
      throw new ConfigError([`${file}: there is no such file; "nmrfs init" makes one, --config names another`]);
    }
    if (hasCode(error, 'EISDIR')) {
      throw new ConfigError([`${file}: is a folder; --config names a file`]);
    }
    throw error;
  }
}

async function replace(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}`;
  const { mode } = await stat(file);
  try {
    const handle = await open(temporary, 'wx', mode & 0o777);
    await handle.writeFile(text);
    await handle.sync();
    await handle.close();
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const folder = await open(dirname(file), 'r');
  await folder.sync();
  await folder.close();
}
