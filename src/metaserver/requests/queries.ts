// Checks the shape of every query that arrives.
import { malformed } from '../../protocol/errors.js';
import type { Queries, QueryName } from '../../protocol/services/metadata.js';
import { MAXIMUM_CLIENT_LENGTH } from '../../protocol/values/request-ids.js';
import type { Fields } from './check.js';
import * as check from './check.js';

/** Rows of one answer, whatever limit is asked for: with the longest names and all attributes they fit into a message. */
const MAXIMUM_ROWS = 8_192;

type Checks = { [K in QueryName]: (request: Fields) => Queries[K]['request'] };

const CHECKS: Checks = {
  lookup: (request) => ({ parent: check.inode(request, 'parent'), name: check.bytesText(request, 'name') }),
  attributes: (request) => ({ inode: check.inode(request) }),
  inode: (request) => ({ inode: check.inode(request) }),
  readlink: (request) => ({ inode: check.inode(request) }),
  readdir: (request) => ({
    inode: check.inode(request),
    cookie: check.whole(request, 'cookie', 0, Number.MAX_SAFE_INTEGER - 1),
    limit: limit(request),
    attributes: check.flag(request, 'attributes'),
  }),
  blocks(request) {
    const most = check.optional(request, 'most', limit);
    return {
      inode: check.inode(request),
      first: check.whole(request, 'first', 0),
      count: check.whole(request, 'count', 0),
      ...(most === undefined ? {} : { most }),
    };
  },
  named: (request) => ({ blocks: check.list(request, 'blocks', MAXIMUM_ROWS, check.blockKey) }),
  smallFiles: (request) => ({
    after: check.inode(request, 'after'),
    limit: limit(request),
    mostBytes: check.whole(request, 'mostBytes', 0),
  }),
  allBlocks: (request) => ({ ...after(request), limit: limit(request) }),
  getxattr: (request) => ({ inode: check.inode(request), name: check.bytesText(request, 'name') }),
  listxattr: (request) => ({ inode: check.inode(request) }),
  garbage: (request) => ({
    after: check.whole(request, 'after', 0, Number.MAX_SAFE_INTEGER - 1),
    limit: limit(request),
  }),
  missed: (request) => ({ server: check.text(request, 'server', 200), ...after(request), limit: limit(request) }),
  servers: () => ({}),
  clients: (request) => ({
    ...(request.after === undefined ? {} : { after: check.text(request, 'after', MAXIMUM_CLIENT_LENGTH) }),
    limit: limit(request),
  }),
  orphans: (request) => ({
    ...(request.after === undefined ? {} : { after: check.inode(request, 'after') }),
    limit: limit(request),
  }),
  path: (request) => ({ inode: check.inode(request) }),
  statistics(request) {
    const identifies = check.optional(request, 'identifies', check.flag);
    const epoch = check.optional(request, 'epoch', (from, name) => check.whole(from, name, 1));
    return { ...(identifies === undefined ? {} : { identifies }), ...(epoch === undefined ? {} : { epoch }) };
  },
  mediator: () => ({}),
  health: (request) => ({ limit: limit(request) }),
};

/** The checked request of a query; MALFORMED when the query does not exist or its request has another shape. */
export function readQuery<K extends QueryName>(name: K, request: unknown): Queries[K]['request'] {
  if (typeof name !== 'string' || !Object.hasOwn(CHECKS, name)) {
    throw malformed(`there is no query ${JSON.stringify(name) ?? String(name)}`);
  }
  const read: Checks[K] = CHECKS[name];
  return read(check.fields(request, 'the query'));
}

function limit(request: Fields, name = 'limit'): number {
  return Math.min(check.whole(request, name, 1), MAXIMUM_ROWS);
}

function after(request: Fields): { after?: { inode: number; index: number } } {
  if (request.after === undefined || request.after === null) return {};
  const position = check.fields(request.after, 'after');
  return { after: { inode: check.inode(position), index: check.whole(position, 'index', 0) } };
}
