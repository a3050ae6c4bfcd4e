// Answers gets: reads and hashes what is stored. A hash that differs from the
// stored one is logged and answered as it is: the mediator's vote decides.
import { Buffer } from 'node:buffer';
import type { BlockKey, GetItem, GetResult } from '../../protocol/services/blocks.js';
import { hashOfPages, PAGE_BYTES, pageCount } from '../../protocol/values/hash.js';
import { giveBack, lend } from '../../protocol/wire/lent.js';
import type { Log } from '../../runtime/log.js';
import { storedHash, type VersionRow } from '../format/version-row.js';
import type { Catalog } from '../index/catalog.js';
import type { DirectBytes, DirectReader } from './direct-reader.js';
import { type PageReader, rehash, UnreadableError } from './page-reader.js';

/** Bytes [start, end) of a version, which lie in `count` pages from `first` on. */
interface Part {
  item: GetItem;
  row: VersionRow;
  start: number;
  end: number;
  first: number;
  count: number;
}

const NOTHING: DirectBytes = [];

export class BlockReader {
  /** Pages that, when they were read, did not have their stored hash. */
  damagedPages = 0;

  readonly #catalog: Catalog;
  readonly #reader: PageReader;
  readonly #direct: DirectReader;
  readonly #log: Log;

  constructor(catalog: Catalog, reader: PageReader, direct: DirectReader, log: Log) {
    this.#catalog = catalog;
    this.#reader = reader;
    this.#direct = direct;
    this.#log = log;
  }

  /** In the order of the items; the bytes of the answers are lent. */
  async get(items: readonly GetItem[]): Promise<GetResult[]> {
    const parts: (Part | undefined)[] = [];
    for (const item of items) parts.push(this.#find(item));
    const bytes = (await this.#direct.read(parts)) ?? NOTHING;
    const answers: Promise<GetResult>[] = [];
    for (const [place, item] of items.entries()) answers.push(this.#answer(item, parts[place], bytes[place]));
    return Promise.all(answers);
  }

  #find(item: GetItem): Part | undefined {
    const row = this.#catalog.get(item);
    if (row === undefined) return undefined;
    const start = Math.min(item.offset, row.length);
    const end = Math.min(start + item.length, row.length);
    const first = Math.floor(start / PAGE_BYTES);
    return { item, row, start, end, first, count: end === start ? 0 : pageCount(end) - first };
  }

  /** @param bytes the pages of `found`, when a direct read has brought them */
  async #answer(item: GetItem, found: Part | undefined, bytes: Buffer | undefined): Promise<GetResult> {
    if (found === undefined) return { state: 'absent' };
    for (let part = found; ; ) {
      try {
        return await this.#read(part, part === found ? bytes : undefined);
      } catch (error) {
        if (!(error instanceof UnreadableError)) throw error;
        // Compaction may have moved it while it was being read.
        const now = this.#find(item);
        const { home } = part.row;
        if (now === undefined || (now.row.home.segment === home.segment && now.row.home.offset === home.offset)) {
          this.#log.warn('block.unreadable', { ...keyOf(item), reason: error.message });
          return { state: now === undefined ? 'absent' : 'damaged' };
        }
        part = now;
      }
    }
  }

  async #read(part: Part, direct: Buffer | undefined): Promise<GetResult> {
    const { item, row, start, end, first, count } = part;
    const { length } = row;
    if (count === 0) {
      const empty = { state: 'present' as const, hash: storedHash(row), length };
      return item.data ? { ...empty, data: Buffer.alloc(0), ...pageHashesIfPart(row.pageHashes, 0, length) } : empty;
    }
    if (!item.data && direct === undefined) {
      const { hash } = await this.#reader.inspect(row, first, count, (bytes) => this.#rehash(part, bytes));
      return { state: 'present', hash, length };
    }
    const bytes = direct ?? (await this.#reader.read(row, first, count));
    const { pageHashes, hash } = this.#rehash(part, bytes);
    if (!item.data) {
      giveBack(bytes);
      return { state: 'present', hash, length };
    }
    const data = lend(bytes.subarray(start - first * PAGE_BYTES, end - first * PAGE_BYTES), () => giveBack(bytes));
    return { state: 'present', hash, length, data, ...pageHashesIfPart(pageHashes, data.length, length) };
  }

  #rehash({ item, row, first }: Part, bytes: Buffer): { pageHashes: Buffer; hash: bigint } {
    const pageHashes = rehash(row, first, bytes);
    if (!pageHashes.equals(row.pageHashes)) this.#noteDamage(item, row, pageHashes);
    return { pageHashes, hash: hashOfPages(pageHashes, row.length) };
  }

  #noteDamage(item: GetItem, row: VersionRow, now: Buffer): void {
    let pages = 0;
    for (let at = 0; at < now.length; at += 8) {
      if (now.readBigUInt64LE(at) !== row.pageHashes.readBigUInt64LE(at)) pages++;
    }
    this.damagedPages += pages;
    this.#log.warn('block.damaged', { ...keyOf(item), pages });
  }
}

/** Page hashes, when the bytes are a part of the block: the receiver needs them to compute the block's hash. */
function pageHashesIfPart(pageHashes: Buffer, bytes: number, length: number): { pageHashes?: Uint8Array } {
  return bytes === length ? {} : { pageHashes };
}

function keyOf({ inode, index, version }: BlockKey): BlockKey {
  return { inode, index, version };
}
