// Checks the shape of every command that arrives. Whether the command is allowed
// is decided by the namespace.
import { malformed } from '../../protocol/errors.js';
import { MAXIMUM_SYMLINK_BYTES } from '../../protocol/services/files.js';
import type {
  AnsweredCommand,
  BlockChange,
  BlockRange,
  Command,
  CommandName,
  Commands,
} from '../../protocol/services/metadata.js';
import { MAXIMUM_CLIENT_LENGTH, MAXIMUM_SLOT, type RequestId } from '../../protocol/values/request-ids.js';
import type { Fields } from './check.js';
import * as check from './check.js';

/** Blocks of one commit, versions of one allocation …: far more than a mediator sends, far fewer than would exhaust memory. */
const MAXIMUM_ITEMS = 1_000_000;
/** Far fewer than an unclean start skips. */
const MAXIMUM_RESERVED = 8_192;
const MAXIMUM_SERVERS = 64;
const MAXIMUM_BLOCK_BYTES = 2 ** 30;
const MAXIMUM_SERVER_NAME_BYTES = 200;
const MAXIMUM_ADDRESS_BYTES = 300;

type Checks = { [K in CommandName]: (request: Fields) => Commands[K]['request'] };

const CHECKS: Checks = {
  make(request) {
    const target = check.bytesText(request, 'target');
    if (target.length > MAXIMUM_SYMLINK_BYTES || target.includes('\0')) {
      throw malformed(`target is no path of at most ${MAXIMUM_SYMLINK_BYTES} bytes`);
    }
    return {
      parent: check.inode(request, 'parent'),
      name: check.bytesText(request, 'name'),
      kind: check.kind(request, 'kind'),
      mode: check.mode(request, 'mode'),
      ...umask(request),
      caller: check.caller(request),
      device: check.whole(request, 'device', 0),
      target,
      blockSizeBytes: check.whole(request, 'blockSizeBytes', 1, MAXIMUM_BLOCK_BYTES),
      exclusive: check.flag(request, 'exclusive'),
      inode: check.optional(request, 'inode', check.inode),
    };
  },

  makeUnnamed: (request) => ({
    parent: check.inode(request, 'parent'),
    mode: check.mode(request, 'mode'),
    ...umask(request),
    caller: check.caller(request),
    blockSizeBytes: check.whole(request, 'blockSizeBytes', 1, MAXIMUM_BLOCK_BYTES),
    inode: check.optional(request, 'inode', check.inode),
  }),

  link: (request) => ({
    inode: check.inode(request),
    parent: check.inode(request, 'parent'),
    name: check.bytesText(request, 'name'),
  }),

  unlink: (request) => ({
    parent: check.inode(request, 'parent'),
    name: check.bytesText(request, 'name'),
    held: inodes(request, 'held'),
  }),

  rmdir: (request) => ({ parent: check.inode(request, 'parent'), name: check.bytesText(request, 'name') }),

  rename: (request) => ({
    parent: check.inode(request, 'parent'),
    name: check.bytesText(request, 'name'),
    newParent: check.inode(request, 'newParent'),
    newName: check.bytesText(request, 'newName'),
    mode: check.choice(request, 'mode', ['replace', 'no-replace', 'exchange']),
    held: inodes(request, 'held'),
    ...whiteout(request),
  }),

  setattr(request) {
    const given = check.fields(request.changes, 'changes');
    if (given.sizeBytes !== undefined) throw malformed('a size is changed by commit, not by setattr');
    const changes: Commands['setattr']['request']['changes'] = {};
    const mode = check.optional(given, 'mode', check.mode);
    const uid = check.optional(given, 'uid', check.userId);
    const gid = check.optional(given, 'gid', check.userId);
    const accessTimeNs = check.optional(given, 'accessTimeNs', check.timeNs);
    const modifyTimeNs = check.optional(given, 'modifyTimeNs', check.timeNs);
    if (mode !== undefined) changes.mode = mode;
    if (uid !== undefined) changes.uid = uid;
    if (gid !== undefined) changes.gid = gid;
    if (accessTimeNs !== undefined) changes.accessTimeNs = accessTimeNs;
    if (modifyTimeNs !== undefined) changes.modifyTimeNs = modifyTimeNs;
    if (given.accessed === true) changes.accessed = true;
    return { inode: check.inode(request), changes, caller: check.caller(request) };
  },

  commit(request) {
    const hole = check.optional(request, 'hole', blockRange);
    return {
      inode: check.inode(request),
      changes: check.list(request, 'changes', MAXIMUM_ITEMS, blockChange),
      truncateTo: request.truncateTo === null ? null : check.whole(request, 'truncateTo', 0),
      ...(hole === undefined ? {} : { hole }),
      minimumSizeBytes: check.whole(request, 'minimumSizeBytes', 0),
      modifyTimeNs: request.modifyTimeNs === null ? null : check.timeNs(request, 'modifyTimeNs'),
      missing: check.list(request, 'missing', MAXIMUM_SERVERS, (name) =>
        check.textValue(name, 'a server in missing', MAXIMUM_SERVER_NAME_BYTES),
      ),
    };
  },

  trim(request) {
    const hole = check.optional(request, 'hole', blockRange);
    return {
      inode: check.inode(request),
      revision: check.whole(request, 'revision', 0),
      truncateTo: request.truncateTo === null ? null : check.whole(request, 'truncateTo', 0),
      ...(hole === undefined ? {} : { hole }),
      modifyTimeNs: request.modifyTimeNs === null ? null : check.timeNs(request, 'modifyTimeNs'),
    };
  },

  setxattr: (request) => ({
    inode: check.inode(request),
    name: check.bytesText(request, 'name'),
    value: check.byteArray(request, 'value'),
    mode: check.choice(request, 'mode', ['set', 'create', 'replace']),
    ...(check.optional(request, 'killSetgid', check.flag) === true ? { killSetgid: true } : {}),
  }),

  removexattr: (request) => ({ inode: check.inode(request), name: check.bytesText(request, 'name') }),

  purge: (request) => ({ inode: check.inode(request) }),

  reserveInodes: (request) => ({ count: check.whole(request, 'count', 1, MAXIMUM_RESERVED) }),

  allocate: (request) => ({ count: check.whole(request, 'count', 1, MAXIMUM_ITEMS) }),

  retireVersions: (request) => ({ below: check.whole(request, 'below', 0) }),

  collected: (request) => ({
    sequences: check.list(request, 'sequences', MAXIMUM_ITEMS, (sequence) => check.whole({ sequence }, 'sequence', 1)),
  }),

  registerServer: (request) => ({
    name: check.text(request, 'name', MAXIMUM_SERVER_NAME_BYTES),
    storeId: check.text(request, 'storeId', 200),
    state: check.choice(request, 'state', ['complete', 'rebuilding']),
  }),

  caughtUp: (request) => ({
    server: check.text(request, 'server', MAXIMUM_SERVER_NAME_BYTES),
    blocks: check.list(request, 'blocks', MAXIMUM_ITEMS, check.blockKey),
  }),

  takeOver: (request) => ({
    name: check.text(request, 'name', MAXIMUM_SERVER_NAME_BYTES),
    process: clientName(request.process),
    seen: check.whole(request, 'seen', 0, Number.MAX_SAFE_INTEGER - 1),
    afterSilentMs: check.whole(request, 'afterSilentMs', 0),
  }),

  resign: (request) => ({ epoch: check.whole(request, 'epoch', 1) }),

  addMetaserver: (request) => ({
    name: check.text(request, 'name', MAXIMUM_SERVER_NAME_BYTES),
    address: check.text(request, 'address', MAXIMUM_ADDRESS_BYTES),
  }),

  dropMetaserver: (request) => ({ name: check.text(request, 'name', MAXIMUM_SERVER_NAME_BYTES) }),

  abandon: () => ({}),

  forgetResults: (request) => ({
    client: clientName(request.client),
    requests: check.optional(request, 'requests', (from, name) => check.whole(from, name, 0)),
  }),
};

/** The command in a request that claims to be one; MALFORMED when it is none. Fields that are not known are left out. */
export function readCommand(message: unknown): Command {
  const from = check.fields(message, 'the request');
  const name = commandName(from.name);
  const timeNs = check.timeNs(from, 'timeNs');
  const request = CHECKS[name](check.fields(from.request, 'the command'));
  const id = check.optional(from, 'id', requestId);
  // CHECKS pairs each name with its own request; the compiler can't see that.
  return { name, timeNs, request, id } as Command;
}

/** Commands with ids, in order; MALFORMED when one of them is not as it should be. */
export function readAnswered(message: unknown): AnsweredCommand[] {
  return check.list(check.fields(message, 'the request'), 'commands', MAXIMUM_ITEMS, (each) => {
    const command = readCommand(each);
    if (command.id === undefined) throw malformed('a command that was answered has an id');
    return command as AnsweredCommand;
  });
}

function commandName(value: unknown): CommandName {
  if (typeof value === 'string' && Object.hasOwn(CHECKS, value)) return value as CommandName;
  throw malformed(`there is no command ${JSON.stringify(value) ?? String(value)}`);
}

function requestId(from: Fields, name: string): RequestId {
  const parts = from[name];
  if (!Array.isArray(parts) || parts.length !== 3) throw malformed('an id has three parts');
  const [client, slot, sequence] = parts as unknown[];
  return [clientName(client), check.whole({ slot }, 'slot', 0, MAXIMUM_SLOT), check.whole({ sequence }, 'sequence', 1)];
}

function clientName(value: unknown): string {
  return check.textValue(value, 'a client', MAXIMUM_CLIENT_LENGTH);
}

function inodes(request: Fields, name: string): number[] {
  return check.list(request, name, MAXIMUM_ITEMS, (inode) => check.inode({ inode }));
}

function umask(request: Fields): { umask?: number } {
  const value = check.optional(request, 'umask', check.mode);
  return value === undefined ? {} : { umask: value };
}

function whiteout(request: Fields): Pick<Commands['rename']['request'], 'whiteout' | 'inode'> {
  if (request.whiteout === undefined) return {};
  return { whiteout: check.caller(request, 'whiteout'), inode: check.optional(request, 'inode', check.inode) };
}

function blockRange(from: Fields, name: string): BlockRange {
  const range = check.fields(from[name], name);
  return { first: check.whole(range, 'first', 0), end: check.whole(range, 'end', 0) };
}

function blockChange(value: unknown): BlockChange {
  const change = check.fields(value, 'a change');
  const index = check.whole(change, 'index', 0, Number.MAX_SAFE_INTEGER - 1);
  const base = check.whole(change, 'base', 0);
  if (change.next === null) return { index, base, next: null };
  const next = check.fields(change.next, 'next');
  return {
    index,
    base,
    next: {
      version: check.whole(next, 'version', 1),
      hash: check.hash(next, 'hash'),
      length: check.whole(next, 'length', 1, MAXIMUM_BLOCK_BYTES),
    },
  };
}
