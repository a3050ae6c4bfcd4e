// Typed reads of the tables, over any view. The rules of the namespace are not here.
import { Buffer } from 'node:buffer';
import type { DirectoryEntry } from '../../protocol/services/files.js';
import type { ServerPlace } from '../../protocol/services/group.js';
import type { BlockReference, ServerRecord } from '../../protocol/services/metadata.js';
import type { Key, Row, View } from '../view.js';
import { decodeBlock } from './block-rows.js';
import { type Counters, decodeCounters } from './counters.js';
import { decodeCookie, decodeEntry, type EntryRow } from './entry-rows.js';
import { decodeInode, type InodeRow } from './inode-row.js';
import * as keys from './keys.js';
import { decodeMetaservers, encodeMetaservers } from './metaservers.js';

/** The active mediator, and the process that it is. */
export interface MediatorRow {
  epoch: number;
  name: string;
  process: string;
}

export class Tables {
  readonly view: View;

  constructor(view: View) {
    this.view = view;
  }

  inode(inode: number): InodeRow | undefined {
    const value = this.view.get(keys.inodeKey(inode));
    return value === undefined ? undefined : decodeInode(value);
  }

  /** Inodes after `inode`, in order. */
  inodesAfter(inode: number, limit: number): InodeRow[] {
    const { to } = keys.wholeTable('inodes');
    return this.view.scan(keys.justAfter(keys.inodeKey(inode)), to, limit).map(({ value }) => decodeInode(value));
  }

  entry(parent: number, name: string): EntryRow | undefined {
    const value = this.view.get(keys.entryKey(parent, name));
    return value === undefined ? undefined : decodeEntry(value);
  }

  /** Entries of a directory after `cookie`, in the order of their cookies, without attributes. */
  entriesAfter(parent: number, cookie: number, limit: number): DirectoryEntry[] {
    const from = keys.cookieKey(parent, cookie + 1);
    return this.view.scan(from, keys.rowsOf('cookies', parent).to, limit).map(({ key, value }) => {
      const { name, inode, kind } = decodeCookie(value);
      return { name, inode, kind, cookie: keys.numberFromKey(key, 9) };
    });
  }

  /** One of the names of an inode. */
  anyLink(inode: number): { parent: number; name: string } | undefined {
    const { from, to } = keys.rowsOf('links', inode);
    const key = this.view.scan(from, to, 1)[0]?.key;
    return key === undefined ? undefined : { parent: keys.numberFromKey(key, 9), name: keys.nameFromKey(key, 2) };
  }

  block(inode: number, index: number): BlockReference | undefined {
    const value = this.view.get(keys.blockKey(inode, index));
    return value === undefined ? undefined : { index, ...decodeBlock(value) };
  }

  /** Entries of one block map with first <= index < end, in order. */
  blocks(inode: number, first: number, end: number, limit: number): BlockReference[] {
    const to = end > Number.MAX_SAFE_INTEGER ? keys.rowsOf('blocks', inode).to : keys.blockKey(inode, end);
    return this.view.scan(keys.blockKey(inode, first), to, limit).map(toBlock);
  }

  /** Entries of all block maps after (inode, index), in order. */
  allBlocks(
    after: { inode: number; index: number } | undefined,
    limit: number,
  ): (BlockReference & { inode: number })[] {
    const { from, to } = keys.wholeTable('blocks');
    const start = after === undefined ? from : keys.justAfter(keys.blockKey(after.inode, after.index));
    return this.view.scan(start, to, limit).map((row) => ({ inode: keys.numberFromKey(row.key, 1), ...toBlock(row) }));
  }

  server(name: string): ServerRecord | undefined {
    const value = this.view.get(keys.serverKey(name));
    return value === undefined ? undefined : toServer(name, value);
  }

  servers(): ServerRecord[] {
    const { from, to } = keys.wholeTable('servers');
    return this.view
      .scan(from, to, Number.POSITIVE_INFINITY)
      .map(({ key, value }) => toServer(keys.textFromKey(key), value));
  }

  putServer({ name, storeId, state }: ServerRecord): void {
    this.view.put(keys.serverKey(name), Buffer.from(`${state} ${storeId}`, 'utf8'));
  }

  counters(): Counters {
    const value = this.view.get(keys.COUNTERS_KEY);
    if (value === undefined) throw new Error('the store has no counters: it was never initialised');
    return decodeCounters(value);
  }

  clusterId(): string | undefined {
    return this.#text(keys.CLUSTER_KEY);
  }

  history(): string | undefined {
    return this.#text(keys.HISTORY_KEY);
  }

  /** Without a name when none is the active one. */
  mediator(): MediatorRow {
    const [epoch = '0', name = '', process = ''] = this.#text(keys.MEDIATOR_KEY)?.split(' ') ?? [];
    return { epoch: Number(epoch), name, process };
  }

  putMediator({ epoch, name, process }: MediatorRow): void {
    this.view.put(keys.MEDIATOR_KEY, Buffer.from(`${epoch} ${name} ${process}`, 'utf8'));
  }

  /** Those that were added while the group ran. */
  metaservers(): ServerPlace[] {
    return decodeMetaservers(this.view.get(keys.METASERVERS_KEY));
  }

  putMetaservers(servers: readonly ServerPlace[]): void {
    this.view.put(keys.METASERVERS_KEY, encodeMetaservers(servers));
  }

  #text(key: Key): string | undefined {
    const value = this.view.get(key);
    return value === undefined ? undefined : Buffer.from(value).toString('utf8');
  }
}

function toBlock({ key, value }: Row): BlockReference {
  const { version, hash, length } = decodeBlock(value);
  return { index: keys.numberFromKey(key, 9), version, hash, length };
}

function toServer(name: string, value: Uint8Array): ServerRecord {
  const text = Buffer.from(value).toString('utf8');
  const at = text.indexOf(' ');
  return { name, state: text.slice(0, at) === 'rebuilding' ? 'rebuilding' : 'complete', storeId: text.slice(at + 1) };
}
