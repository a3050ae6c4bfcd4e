// Every query over the tables. None changes anything.
import { FileError, malformed } from '../protocol/errors.js';
import { type DirectoryEntry, ROOT_INODE } from '../protocol/services/files.js';
import type { Queries, QueryName, WholeInode } from '../protocol/services/metadata.js';
import { checkXattrName, noXattr } from './attributes.js';
import { checkName } from './entries.js';
import { clients } from './forget-results.js';
import { MAXIMUM_BLOCKS } from './limits.js';
import { decodeGarbage } from './state/block-rows.js';
import { attributesOf, type InodeRow } from './state/inode-row.js';
import {
  garbageKey,
  justAfter,
  missedKey,
  missedRange,
  nameFromKey,
  numberFromKey,
  orphanKey,
  rowsOf,
  wholeTable,
  xattrKey,
} from './state/keys.js';
import { decodeNumbers } from './state/numbers.js';
import type { Tables } from './state/tables.js';

export type QueryHandlers = {
  [K in QueryName]: (tables: Tables, request: Queries[K]['request']) => Queries[K]['result'];
};

/** All but `start`, which is not in the tables. */
export type Statistics = Omit<Queries['statistics']['result'], 'start'>;

export function statistics(tables: Tables): Statistics {
  const { inodes, blocks, bytes, garbage } = tables.counters();
  return { clusterId: tables.clusterId() ?? '', history: tables.history() ?? '', inodes, blocks, bytes, garbage };
}

/** The queries that the tables alone can answer. They throw FileError. */
export const TABLE_QUERIES: Omit<QueryHandlers, 'statistics' | 'mediator' | 'health'> = {
  lookup(tables, { parent, name }) {
    // No entries stand for these two names; NFS exporting and path walks ask for them.
    if (name === '.') return attributesOf(directory(tables, parent));
    if (name === '..') return attributesOf(directory(tables, directory(tables, parent).parent));
    checkName(name);
    const entry = tables.entry(parent, name);
    if (entry !== undefined) return attributesOf(live(tables, entry.inode));
    directory(tables, parent);
    throw new FileError('ENOENT', `directory ${parent} has no ${JSON.stringify(name)}`);
  },

  attributes: (tables, { inode }) => attributesOf(live(tables, inode)),

  inode: (tables, { inode }) => wholeInode(live(tables, inode)),

  readlink(tables, { inode }) {
    const row = live(tables, inode);
    if (row.kind !== 'symlink') throw new FileError('EINVAL', `inode ${inode} is no symbolic link`);
    return { target: row.target };
  },

  readdir(tables, { inode, cookie, limit, attributes }) {
    const row = directory(tables, inode);
    const found = tables.entriesAfter(inode, cookie, limit + 1);
    const entries: DirectoryEntry[] = found.length > limit ? found.slice(0, limit) : found;
    if (attributes) for (const entry of entries) entry.attributes = attributesOf(live(tables, entry.inode));
    return { entries, done: found.length <= limit, directory: wholeInode(row) };
  },

  blocks(tables, { inode, first, count, most }) {
    const row = live(tables, inode);
    if (row.kind !== 'file' || row.children === 0) return { attributes: attributesOf(row), blocks: [] };
    const blocks = tables.blocks(inode, first, first + count, most ?? MAXIMUM_BLOCKS + 1);
    if (blocks.length > MAXIMUM_BLOCKS) {
      throw malformed(`inode ${inode} has more than ${MAXIMUM_BLOCKS} blocks there: ask for fewer`);
    }
    return { attributes: attributesOf(row), blocks };
  },

  named: (tables, { blocks }) => ({
    named: blocks.map(({ inode, index, version }) => {
      if (tables.block(inode, index)?.version !== version) return false;
      const row = tables.inode(inode);
      return row !== undefined && row.state !== 'purging';
    }),
  }),

  smallFiles(tables, { after, limit, mostBytes }) {
    const files: Queries['smallFiles']['result']['files'] = [];
    let last = after;
    for (const row of tables.inodesAfter(after, limit)) {
      last = row.inode;
      if (row.kind !== 'file' || row.state !== 'named' || row.children === 0 || row.sizeBytes > mostBytes) continue;
      files.push({ attributes: attributesOf(row), blocks: tables.blocks(row.inode, 0, Infinity, MAXIMUM_BLOCKS) });
    }
    return { files, last };
  },

  allBlocks(tables, { after, limit }) {
    const blocks = tables.allBlocks(after, limit + 1);
    return { blocks: blocks.slice(0, limit), done: blocks.length <= limit };
  },

  getxattr(tables, { inode, name }) {
    checkXattrName(name);
    const row = live(tables, inode);
    const value = row.xattrs === 0 ? undefined : tables.view.get(xattrKey(inode, name));
    if (value === undefined) throw noXattr(inode, name);
    return { value };
  },

  listxattr(tables, { inode }) {
    if (live(tables, inode).xattrs === 0) return { names: [] };
    const { from, to } = rowsOf('xattrs', inode);
    const rows = tables.view.scan(from, to, Number.POSITIVE_INFINITY);
    return { names: rows.map(({ key }) => nameFromKey(key, 1)) };
  },

  garbage(tables, { after, limit }) {
    const rows = tables.view.scan(garbageKey(after + 1), wholeTable('garbage').to, limit);
    return {
      entries: rows.map(({ key, value }) => ({ sequence: numberFromKey(key, 1), ...decodeGarbage(value) })),
    };
  },

  missed(tables, { server, after, limit }) {
    const { from, to } = missedRange(server);
    const start = after === undefined ? from : justAfter(missedKey(server, after.inode, after.index));
    const blocks: Queries['missed']['result']['blocks'] = [];
    for (const { key, value } of tables.view.scan(start, to, limit)) {
      const inode = numberFromKey(key, from.length);
      const block = tables.block(inode, numberFromKey(key, from.length + 8));
      const [version] = decodeNumbers(value, 1);
      if (block === undefined || block.version !== version) {
        throw new Error(`server ${server} is said to lack a version of inode ${inode} that no block map names`);
      }
      blocks.push({ inode, ...block });
    }
    return { blocks };
  },

  servers: (tables) => ({ servers: tables.servers() }),

  clients,

  orphans(tables, { after, limit }) {
    const { from, to } = wholeTable('orphans');
    const start = after === undefined ? from : justAfter(orphanKey(after));
    return { inodes: tables.view.scan(start, to, limit).map(({ key }) => numberFromKey(key, 1)) };
  },

  path: (tables, { inode }) => ({ path: pathOf(tables, inode) }),
};

/** How many versions each server lacks, counted up to `limit`. */
export function countMissed(tables: Tables, limit: number): { server: string; blocks: number }[] {
  if (tables.counters().missed === 0) return tables.servers().map(({ name }) => ({ server: name, blocks: 0 }));
  return tables.servers().map(({ name }) => {
    const { from, to } = missedRange(name);
    return { server: name, blocks: tables.view.scan(from, to, limit).length };
  });
}

/** null when no path leads to the inode, also when it does not exist. */
function pathOf(tables: Tables, inode: number): string | null {
  const names: string[] = [];
  for (let at = inode; at !== ROOT_INODE; ) {
    const link = tables.anyLink(at);
    if (link === undefined) return null;
    names.push(link.name);
    at = link.parent;
  }
  return `/${names.reverse().join('/')}`;
}

function wholeInode(row: InodeRow): WholeInode {
  const { parent, children, nextCookie, state } = row;
  return { attributes: attributesOf(row), parent, children, nextCookie, state };
}

function live(tables: Tables, inode: number): InodeRow {
  const row = tables.inode(inode);
  if (row === undefined || row.state === 'purging') throw new FileError('ENOENT', `there is no inode ${inode}`);
  return row;
}

function directory(tables: Tables, inode: number): InodeRow {
  const row = live(tables, inode);
  if (row.kind !== 'directory') throw new FileError('ENOTDIR', `inode ${inode} is no directory`);
  return row;
}
