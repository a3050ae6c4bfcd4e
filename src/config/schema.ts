// The shape of the configuration file. Each message says what fits, so that
// `KEY: VALUE MESSAGE` reads as a sentence.
import * as z from 'zod';
import { MAXIMUM_DATA_SERVERS } from '../protocol/values/quorum.js';
import { parseAddress, parseSize } from './values.js';

const KIB = 1024;
const MIB = KIB * KIB;
/** Pages of the hash tree are 4 KiB, so that a smaller block makes no sense. */
const MINIMUM_BLOCK_BYTES = 4 * KIB;
/** A kernel request carries 1 MiB at most; a larger block would be read and voted on in vain. */
const MAXIMUM_BLOCK_BYTES = MIB;
/** Processes that stand in no list; logs and sockets are called by name. */
const RESERVED_NAMES: readonly string[] = ['mediator', 'supervisor', 'mount'];
/** etcd has seven members at most. */
const MAXIMUM_ENDPOINTS = 9;
/** Challenge and response is only as strong as this is hard to guess. */
const MINIMUM_SECRET_CHARACTERS = 16;

const nameRule = 'must be letters, digits, ".", "_" or "-", 63 at most, beginning with a letter or digit';
const name = z.string(nameRule).regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, nameRule);

const addressRule =
  'must be HOST:PORT with a port from 1 to 65535, such as 127.0.0.1:7621, or "[::1]:7621" with its quotes';
const address = z.string(addressRule).refine((text) => (parseAddress(text)?.port ?? 0) > 0, addressRule);

const directoryRule = 'must be a path, absolute or relative to this file';
const directory = z.string(directoryRule).min(1, directoryRule);

const yesOrNo = z.boolean('must be true or false');

const serverName = name.refine(
  (text) => !RESERVED_NAMES.includes(text),
  `must not be one of ${RESERVED_NAMES.join(', ')}`,
);
const serverKeys = {
  name: serverName,
  address,
  directory,
};
const server = z.strictObject(serverKeys, group('must be a group of the keys name, address and directory'));
const serverListRule = 'must be a list of servers, each with name, address and directory';

const mediatorKeys = { address };
const listedMediatorKeys = { name: serverName, address };
const listedMediator = z.strictObject(listedMediatorKeys, group('must be a group of the keys name and address'));
const mediatorListRule = 'must be a list of mediators, each with name and address';

const mountKeys = {
  directory: directory.default('mnt'),
  binding: oneOf('auto', 'kernel', 'fuse-native').default('auto'),
  allowOther: z.union([z.boolean(), z.literal('auto')], 'must be true, false or auto').default('auto'),
  readOnly: yesOrNo.default(false),
  accessTimes: oneOf('noatime', 'relatime').default('noatime'),
  attributeTimeoutMs: wholeNumberOrAuto(0, 3_600_000).default('auto'),
  maximumDirtyBytes: size('from 1 MiB to 4096 MiB', (bytes) => bytes >= MIB && bytes <= 4096 * MIB).default(64 * MIB),
};

const endpointRule = 'must be an address of etcd, such as http://127.0.0.1:2379, without a path';
const endpoint = z
  .string(endpointRule)
  .regex(/^https?:\/\/[^/?#\s@]+$/, endpointRule)
  .refine((text) => URL.canParse(text), endpointRule);
const endpointsRule = 'must be a list of addresses of etcd, such as [http://127.0.0.1:2379]';
const textRule = 'must be a text, in quotes if it could be something else';
const text = z.string(textRule).min(1, textRule);
const etcdUserKeys = { name: text, password: text };
const etcdTlsKeys = { ca: directory.optional(), certificate: directory.optional(), key: directory.optional() };
const etcdKeys = {
  endpoints: z.array(endpoint, endpointsRule).min(1, endpointsRule).max(MAXIMUM_ENDPOINTS, endpointsRule),
  prefix: text.regex(/^[!-~]{1,200}$/, 'must be up to 200 letters, digits and signs, such as /nmrfs').default('/nmrfs'),
  user: z.strictObject(etcdUserKeys, group('must be a group of the keys name and password')).optional(),
  tls: z
    .strictObject(etcdTlsKeys, group('must be a group of the keys ca, certificate and key, paths of PEM files'))
    .optional(),
};

const blockSize = size(
  'a power of two from 4 KiB to 1 MiB, such as 128 KiB',
  (bytes) => bytes >= MINIMUM_BLOCK_BYTES && bytes <= MAXIMUM_BLOCK_BYTES && Number.isInteger(Math.log2(bytes)),
);

/** More make every change slower, and would survive the loss of more than four. */
const MAXIMUM_METASERVERS = 9;
/** One of them works; more than a few would only wait. */
const MAXIMUM_MEDIATORS = 5;
const mediatorCount = `must have 1 to ${MAXIMUM_MEDIATORS} entries`;
const metaserverCount = `must have 1 to ${MAXIMUM_METASERVERS} entries`;
const dataserverCount = `must have 1 to ${MAXIMUM_DATA_SERVERS} entries`;

const topKeys = {
  cluster: name.default('nmrfs'),
  mediator: z.strictObject(mediatorKeys, group('must be a group with the key address')).optional(),
  mediators: z
    .array(listedMediator, mediatorListRule)
    .min(1, mediatorCount)
    .max(MAXIMUM_MEDIATORS, mediatorCount)
    .optional(),
  metaservers: z.array(server, serverListRule).min(1, metaserverCount).max(MAXIMUM_METASERVERS, metaserverCount),
  metadataProtocol: oneOf('raft', 'viewstamped', 'etcd').default('raft'),
  etcd: z.strictObject(etcdKeys, group('must be a group of keys: endpoints, prefix, user, tls')).optional(),
  dataservers: z.array(server, serverListRule).min(1, dataserverCount).max(MAXIMUM_DATA_SERVERS, dataserverCount),
  readQuorum: wholeNumber(1, MAXIMUM_DATA_SERVERS).optional(),
  writeQuorum: wholeNumber(1, MAXIMUM_DATA_SERVERS).optional(),
  blockSize: blockSize.default(128 * KIB),
  audit: oneOf('all', 'quorum').default('all'),
  onWriteQuorumLost: oneOf('fail', 'block').default('fail'),
  deadlineMs: wholeNumber(100, 600_000).default(3000),
  testHooks: yesOrNo.default(false),
  secret: z
    .string('must be a text, in quotes if it could be something else')
    .min(MINIMUM_SECRET_CHARACTERS, `must be at least ${MINIMUM_SECRET_CHARACTERS} characters long`)
    .optional(),
  logLevel: oneOf('debug', 'info', 'warn', 'error').default('info'),
  mount: z.strictObject(mountKeys, group('must be a group of keys: directory, binding, …')).prefault({}),
  runDirectory: directory.default('nmrfs-data/run'),
};

/** The configuration file. */
export const configSchema = z.strictObject(topKeys, group('must be a group of keys; `nmrfs init` writes an example'));

export type RawConfig = z.output<typeof configSchema>;

/** The keys that may stand where `path` leads, in the order of the template. */
export function knownKeys(path: readonly PropertyKey[]): string[] {
  switch (path[0]) {
    case undefined:
      return Object.keys(topKeys);
    case 'metaservers':
    case 'dataservers':
      return Object.keys(serverKeys);
    case 'mediator':
      return Object.keys(mediatorKeys);
    case 'mediators':
      return Object.keys(listedMediatorKeys);
    case 'mount':
      return Object.keys(mountKeys);
    case 'etcd':
      return Object.keys(path[1] === 'user' ? etcdUserKeys : path[1] === 'tls' ? etcdTlsKeys : etcdKeys);
    default:
      return [];
  }
}

function wholeNumber(minimum: number, maximum: number) {
  const message = `must be a whole number from ${minimum} to ${maximum}`;
  return z.int(message).min(minimum, message).max(maximum, message);
}

function wholeNumberOrAuto(minimum: number, maximum: number) {
  const message = `must be a whole number from ${minimum} to ${maximum}, or auto`;
  return z.union([z.int(message).min(minimum, message).max(maximum, message), z.literal('auto')], message);
}

function oneOf<const T extends readonly [string, ...string[]]>(...values: T) {
  return z.enum(values, `must be one of ${values.join(', ')}`);
}

/** Bytes, from a number or from a text such as 128 KiB. */
function size(what: string, fits: (sizeBytes: number) => boolean) {
  const message = `must be ${what}`;
  return z.union([z.number(), z.string()], message).transform((given, context) => {
    const sizeBytes = parseSize(given);
    if (sizeBytes === undefined || !fits(sizeBytes)) {
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    }
    return sizeBytes;
  });
}

/** The message for a value that is no group at all; unknown keys in one get theirs in issues.ts. */
function group(message: string) {
  return {
    error: (issue: { code?: string | undefined }) => (issue.code === 'unrecognized_keys' ? undefined : message),
  };
}
