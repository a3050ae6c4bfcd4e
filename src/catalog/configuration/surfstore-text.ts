// SurfStore's form of a configuration: «M: 5», then «metadata0: localhost:9001» and so on. It means raft, in memory.
import { isLoopback, parseAddress } from '../../config/values.js';
import { ConfigError } from '../../config.js';
import type { CatalogConfig, CatalogServerConfig } from './catalog-config.js';
import { DEFAULTS, MOST_SERVERS } from './defaults.js';

interface Line {
  readonly key: string;
  readonly value: string;
  readonly number: number;
}

const FIRST_LINE = /^\s*M\s*:/m;

export function isSurfStoreText(text: string): boolean {
  return FIRST_LINE.test(text);
}

export function readSurfStoreText(text: string, file: string, secret?: string): CatalogConfig {
  const problems: string[] = [];
  const servers = new Map<number, CatalogServerConfig>();
  let count: number | undefined;
  let countAt = file;
  for (const { key, value, number } of linesOf(text, file, problems)) {
    const at = `${file}:${number}`;
    const id = /^metadata(\d{1,4})$/.exec(key)?.[1];
    if (key === 'M') {
      countAt = at;
      count = /^\d{1,4}$/.test(value) ? Number(value) : 0;
      if (count < 1 || count > MOST_SERVERS)
        problems.push(`${at}: M: ${value} must be a number from 1 to ${MOST_SERVERS}`);
    } else if (id === undefined) {
      problems.push(`${at}: ${key}: unknown key; known are M and metadata0, metadata1 …`);
    } else {
      const problem = problemOf(servers, Number(id), value, secret);
      if (problem === null) servers.set(Number(id), { name: key, address: value });
      else problems.push(`${at}: ${key}: ${problem}`);
    }
  }
  for (let id = 0; id < (count ?? 0); id++) {
    if (!servers.has(id) && problems.length === 0)
      problems.push(`${countAt}: metadata${id} is missing, and M is ${count}`);
  }
  const beyond = [...servers.keys()].filter((id) => count !== undefined && id >= count);
  for (const id of beyond) problems.push(`${countAt}: metadata${id} is one too many, since M is ${count}`);
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    ...DEFAULTS,
    protocol: 'raft',
    servers: [...servers].sort(([one], [other]) => one - other).map(([, server]) => server),
    memory: true,
    ...(secret === undefined ? {} : { secret }),
    testHooks: true,
  };
}

function* linesOf(text: string, file: string, problems: string[]): Generator<Line> {
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#.*)?$/.test(line)) continue;
    const match = /^\s*([^:\s]+)\s*:\s*(\S+)\s*$/.exec(line);
    if (match === null) problems.push(`${file}:${index + 1}: must be KEY: VALUE, such as metadata0: localhost:9001`);
    else yield { key: match[1] ?? '', value: match[2] ?? '', number: index + 1 };
  }
}

function problemOf(
  servers: ReadonlyMap<number, CatalogServerConfig>,
  id: number,
  address: string,
  secret: string | undefined,
): string | null {
  const parsed = parseAddress(address);
  if (parsed === undefined || parsed.port === 0) return `${address} must be HOST:PORT with a port from 1 to 65535`;
  if (servers.has(id)) return 'this server is there twice';
  const other = [...servers.values()].find((server) => server.address === address);
  if (other !== undefined) return `${address} is ${other.name}'s already`;
  if (!isLoopback(parsed.host) && secret === undefined) {
    return `${parsed.host} can be reached from other hosts: a secret is needed, in the environment variable NMRFS_SECRET`;
  }
  return null;
}
