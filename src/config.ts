// The one schema of the one configuration file, the same on every host of a
// cluster. Pure: text in, a checked value or clear errors out; reading and
// editing the file itself is src/cli/config-file.ts's.
import { dirname, resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { disagreements, mediatorsOf } from './config/agreement.js';
import { issueLines, Locator } from './config/issues.js';
import { configSchema, type RawConfig } from './config/schema.js';
import { yamlProblems } from './config/yaml-problems.js';
import { majorityOf, type Quorums } from './protocol/values/quorum.js';

/** The configuration does not fit; one line per problem, each naming file, line, key, value and what fits. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly lines: readonly string[]) {
    super(lines.join('\n'));
  }
}

export interface MediatorConfig {
  name: string;
  /** HOST:PORT */
  address: string;
}

export interface ServerConfig {
  name: string;
  /** HOST:PORT */
  address: string;
  /** Absolute. */
  directory: string;
}

export interface EtcdConfig {
  /** As http://HOST:PORT. */
  endpoints: string[];
  /** What all keys begin with. */
  prefix: string;
  user?: { name: string; password: string };
  /** Absolute paths of PEM files. */
  tls?: { ca?: string; certificate?: string; key?: string };
}

/** The checked configuration; every path in it is absolute. */
export interface Config extends Quorums {
  /** The file that it came from. */
  file: string;
  cluster: string;
  /** The only one, where the file has it under this key. */
  mediator?: { address: string };
  /** One is the active one; the others wait to take over. */
  mediators: MediatorConfig[];
  metaservers: ServerConfig[];
  /** How several metaservers agree. */
  metadataProtocol: 'raft' | 'viewstamped' | 'etcd';
  /** Where etcd is; only with the protocol of that name. */
  etcd?: EtcdConfig;
  dataservers: ServerConfig[];
  blockSizeBytes: number;
  audit: 'all' | 'quorum';
  onWriteQuorumLost: 'fail' | 'block';
  /** A server that does not answer in this time counts as down. */
  deadlineMs: number;
  testHooks: boolean;
  secret?: string;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  mount: {
    directory: string;
    /** auto: kernel. */
    binding: 'auto' | 'kernel' | 'fuse-native';
    /** auto: when root mounts. */
    allowOther: boolean | 'auto';
    readOnly: boolean;
    accessTimes: 'noatime' | 'relatime';
    /** auto: as long as the mount would hear of changes; see chooseAttributeTimeoutMs. */
    attributeTimeoutMs: number | 'auto';
    maximumDirtyBytes: number;
  };
  /** Sockets, the supervisor's file, logs. */
  runDirectory: string;
}

/** The quorums that N data servers get when the file names none: the smallest majority reads, all write. */
export function defaultQuorums(servers: number): Quorums {
  return { readQuorum: majorityOf(servers), writeQuorum: servers };
}

/**
 * Checks the text of a configuration file. `file` is its absolute path: it stands in errors, and relative
 * directories count from its folder. Throws ConfigError.
 */
export function parseConfig(text: string, file: string): Config {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const unreadable = yamlProblems(text, document, lineCounter);
  if (unreadable.length > 0) {
    throw new ConfigError(unreadable.map(({ line, message }) => `${file}:${line}: ${message}`));
  }
  const given: unknown = document.toJS();
  const locator = new Locator(file, document, lineCounter);
  const result = configSchema.safeParse(given ?? {});
  if (!result.success) {
    throw new ConfigError(result.error.issues.flatMap((issue) => issueLines(issue, given, locator)));
  }
  const folder = dirname(file);
  const quorums = quorumsOf(result.data);
  const problems = disagreements(result.data, quorums, folder);
  if (problems.length > 0) {
    throw new ConfigError(problems.map(({ path, message }) => `${locator.locate(path)}: ${message}`));
  }
  return settle(result.data, quorums, file);
}

/** A quorum that the file leaves out is the smallest that fits the other, or the default. */
function quorumsOf({ dataservers, readQuorum, writeQuorum }: RawConfig): Quorums {
  const servers = dataservers.length;
  const standard = defaultQuorums(servers);
  if (readQuorum === undefined && writeQuorum !== undefined) {
    return { readQuorum: Math.max(standard.readQuorum, servers - writeQuorum + 1), writeQuorum };
  }
  return { readQuorum: readQuorum ?? standard.readQuorum, writeQuorum: writeQuorum ?? standard.writeQuorum };
}

function settle(raw: RawConfig, quorums: Quorums, file: string): Config {
  const absolute = (path: string): string => resolve(dirname(file), path);
  const {
    blockSize,
    secret,
    mount,
    mediator,
    mediators: _listed,
    metaservers,
    dataservers,
    runDirectory,
    etcd,
    ...rest
  } = raw;
  const place = (server: ServerConfig): ServerConfig => ({ ...server, directory: absolute(server.directory) });
  return {
    ...rest,
    ...quorums,
    file,
    blockSizeBytes: blockSize,
    ...(secret === undefined ? {} : { secret }),
    ...(mediator === undefined ? {} : { mediator }),
    ...(etcd === undefined ? {} : { etcd: settleEtcd(etcd, absolute) }),
    mediators: mediatorsOf(raw),
    metaservers: metaservers.map(place),
    dataservers: dataservers.map(place),
    mount: { ...mount, directory: absolute(mount.directory) },
    runDirectory: absolute(runDirectory),
  };
}

function settleEtcd(
  { endpoints, prefix, user, tls }: NonNullable<RawConfig['etcd']>,
  absolute: (path: string) => string,
): EtcdConfig {
  const { ca, certificate, key } = tls ?? {};
  const files = {
    ...(ca === undefined ? {} : { ca: absolute(ca) }),
    ...(certificate === undefined ? {} : { certificate: absolute(certificate) }),
    ...(key === undefined ? {} : { key: absolute(key) }),
  };
  return { endpoints, prefix, ...(user === undefined ? {} : { user }), ...(tls === undefined ? {} : { tls: files }) };
}
