// The YAML form of a catalog's configuration.
import { LineCounter, parseDocument } from 'yaml';
import * as z from 'zod';
import { Locator, suggestion } from '../../config/issues.js';
import { pathText } from '../../config/path-text.js';
import { isLoopback, parseAddress } from '../../config/values.js';
import { yamlProblems } from '../../config/yaml-problems.js';
import { ConfigError } from '../../config.js';
import type { CatalogConfig } from './catalog-config.js';
import { DEFAULTS, MOST_SERVERS } from './defaults.js';

const PROTOCOLS = ['raft', 'viewstamped', 'primary-backup', 'quorum', 'lazy'] as const;
const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
const MINIMUM_SECRET_CHARACTERS = 16;

const nameRule = 'must be letters, digits, ".", "_" or "-", 63 at most, beginning with a letter or digit';
const name = z.string(nameRule).regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, nameRule);
const addressRule = 'must be HOST:PORT with a port from 1 to 65535, such as 127.0.0.1:9001';
const address = z.string(addressRule).refine((text) => (parseAddress(text)?.port ?? 0) > 0, addressRule);
const directoryRule = 'must be a path, absolute or relative to this file';
const serversRule = `must be a list of 1 to ${MOST_SERVERS} servers, each with name, address and, unless memory is true, directory`;
const milliseconds = (least: number, most: number) => {
  const rule = `must be a whole number of milliseconds from ${least} to ${most}`;
  return z.number(rule).int(rule).min(least, rule).max(most, rule);
};
const quorumRule = 'must be a whole number from 1 to the number of servers';
const quorum = z.number(quorumRule).int(quorumRule).min(1, quorumRule);
const secretRule = `must be a text of ${MINIMUM_SECRET_CHARACTERS} characters or more`;

const serverKeys = { name, address, directory: z.string(directoryRule).min(1, directoryRule).optional() };
const keys = {
  cluster: name.default(DEFAULTS.cluster),
  protocol: z.enum(PROTOCOLS, `must be one of ${PROTOCOLS.join(', ')}`).default('raft'),
  servers: z
    .array(z.strictObject(serverKeys, 'must be a group of the keys name, address and directory'), serversRule)
    .min(1, serversRule)
    .max(MOST_SERVERS, serversRule),
  memory: z.boolean('must be true or false').default(false),
  secret: z.string(secretRule).min(MINIMUM_SECRET_CHARACTERS, secretRule).optional(),
  heartbeatMs: milliseconds(25, 60_000).default(DEFAULTS.heartbeatMs),
  electionTimeoutMs: milliseconds(100, 600_000).optional(),
  gossipMs: milliseconds(50, 3_600_000).default(DEFAULTS.gossipMs),
  readQuorum: quorum.optional(),
  writeQuorum: quorum.optional(),
  blocks: address.optional(),
  testHooks: z.boolean('must be true or false').optional(),
  logLevel: z.enum(LEVELS, `must be one of ${LEVELS.join(', ')}`).default(DEFAULTS.logLevel),
};
const schema = z.strictObject(keys, 'must be a group of keys');

type Raw = z.infer<typeof schema>;
interface Problem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export function readYaml(text: string, file: string): CatalogConfig {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const unreadable = yamlProblems(text, document, lineCounter);
  if (unreadable.length > 0) {
    throw new ConfigError(unreadable.map(({ line, message }) => `${file}:${line}: ${message}`));
  }
  const locator = new Locator(file, document, lineCounter);
  const result = schema.safeParse(document.toJS() ?? {});
  if (!result.success) throw new ConfigError(result.error.issues.flatMap((issue) => issueLines(issue, locator)));
  const problems = disagreements(result.data);
  if (problems.length > 0) {
    throw new ConfigError(problems.map(({ path, message }) => `${locator.locate(path)}: ${message}`));
  }
  return settle(result.data);
}

function settle(raw: Raw): CatalogConfig {
  const { servers, secret, readQuorum, writeQuorum, blocks, electionTimeoutMs, testHooks, ...rest } = raw;
  return {
    ...rest,
    servers: servers.map(({ name: each, address: at, directory }) => ({
      name: each,
      address: at,
      ...(directory === undefined || raw.memory ? {} : { directory }),
    })),
    electionTimeoutMs: electionTimeoutMs ?? Math.max(DEFAULTS.electionTimeoutMs, raw.heartbeatMs * 3),
    testHooks: testHooks ?? servers.every((server) => isLocal(server.address)),
    ...(secret === undefined ? {} : { secret }),
    ...(readQuorum === undefined ? {} : { readQuorum }),
    ...(writeQuorum === undefined ? {} : { writeQuorum }),
    ...(blocks === undefined ? {} : { blocks }),
  };
}

/** What each key alone does not show. */
function disagreements(raw: Raw): Problem[] {
  const { servers, memory, secret, readQuorum, writeQuorum, protocol, heartbeatMs, electionTimeoutMs } = raw;
  const problems: Problem[] = [];
  for (const [index, server] of servers.entries()) {
    const earlier = servers.slice(0, index);
    const path = ['servers', index];
    if (earlier.some((other) => other.name === server.name)) {
      problems.push({ path: [...path, 'name'], message: `${server.name} is there twice` });
    }
    const sameAddress = earlier.find((other) => other.address === server.address);
    if (sameAddress !== undefined) {
      problems.push({ path: [...path, 'address'], message: `${server.address} is ${sameAddress.name}'s already` });
    }
    const sameDirectory = earlier.find(
      (other) => other.directory !== undefined && other.directory === server.directory && isSameHost(other, server),
    );
    if (sameDirectory !== undefined) {
      problems.push({
        path: [...path, 'directory'],
        message: `${server.directory} is ${sameDirectory.name}'s already`,
      });
    }
    if (!memory && server.directory === undefined) {
      problems.push({ path, message: `${server.name}: directory is missing, and memory is not true` });
    }
    if (!isLocal(server.address) && secret === undefined) {
      const message = `${server.address} can be reached from other hosts: the key secret is needed`;
      problems.push({ path: [...path, 'address'], message });
    }
  }
  for (const [key, value] of Object.entries({ readQuorum, writeQuorum })) {
    if (value === undefined) continue;
    if (protocol !== 'quorum') problems.push({ path: [key], message: `${key} is for protocol: quorum only` });
    else if (value > servers.length)
      problems.push({ path: [key], message: `${key} must be from 1 to ${servers.length}` });
  }
  if (electionTimeoutMs !== undefined && electionTimeoutMs <= heartbeatMs * 2) {
    const message = `electionTimeoutMs must be more than twice heartbeatMs, which is ${heartbeatMs}`;
    problems.push({ path: ['electionTimeoutMs'], message });
  }
  return problems;
}

function isLocal(text: string): boolean {
  return isLoopback(parseAddress(text)?.host ?? '');
}

function isSameHost(one: { address: string }, other: { address: string }): boolean {
  return parseAddress(one.address)?.host === parseAddress(other.address)?.host;
}

function issueLines(issue: z.core.$ZodIssue, locator: Locator): string[] {
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(issue.path.length === 0 ? keys : serverKeys);
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return `${locator.locate(path)}: ${pathText(path)}: unknown key; ${suggestion(key, known)}`;
    });
  }
  return [`${locator.locate(issue.path)}: ${pathText(issue.path)} ${issue.message}`];
}
