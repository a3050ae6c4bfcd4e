// One replica's store, put together: opens it, recovers it, and answers puts,
// gets, deletes and lists. Arguments have been checked before they come here.
import { Buffer } from 'node:buffer';
import type { BlockKey, GetItem, GetResult, ListEntry, PutItem, PutResult } from '../protocol/blocks.js';
import { hashOfPages, PAGE_BYTES, pageCount } from '../protocol/hash.js';
import { giveBack, lend } from '../protocol/lent.js';
import type { DiskSpace } from '../runtime/disk.js';
import type { Runtime } from '../runtime/runtime.js';
import { Catalog } from './catalog.js';
import { Compaction } from './compaction.js';
import type { TombstonesDraft } from './draft.js';
import { type Identity, isIndexTrusted, openIdentity, saveIdentity, setIndexState, storePaths } from './identity.js';
import type { IndexFactory, IndexStore } from './index-store.js';
import { blockName } from './keys.js';
import { MAXIMUM_LIST_ENTRIES, MAXIMUM_TOMBSTONES, SEGMENT_BYTES } from './limits.js';
import { PageReader, rehash, UnreadableError } from './page-reader.js';
import { planPut } from './put-plan.js';
import { saltOf, type Tombstone } from './record.js';
import { recover } from './recovery.js';
import { SegmentLog } from './segment-log.js';
import { Segments } from './segments.js';
import { Space } from './space.js';
import { UnsafeSegments } from './unsafe-segments.js';
import { storedHash, type VersionRow } from './version-row.js';
import { type Plan, Writer } from './writer.js';

export interface StoreOptions {
  directory: string;
  /** A segment is closed when it has grown to this. Default 64 MiB. */
  segmentBytes?: number;
  /** Free space on the disk that puts leave alone. Default: one segment. */
  reserveBytes?: number;
}

interface Parts {
  options: StoreOptions;
  runtime: Runtime;
  index: IndexStore;
  catalog: Catalog;
  segments: Segments;
  reader: PageReader;
  segmentLog: SegmentLog;
  writer: Writer;
  compaction: Compaction;
  reserveBytes: number;
}

export class Store {
  /** Pages that did not have the hash that was stored with them when somebody read them. */
  damagedPages = 0;

  private constructor(
    readonly identity: Identity,
    private readonly parts: Parts,
  ) {}

  /** Opens the store, making it at the first start. Fails when it can't be read or is somebody else's. */
  static async open(options: StoreOptions, runtime: Runtime, indexFactory: IndexFactory): Promise<Store> {
    const { directory } = options;
    const { clock, disk, log } = runtime;
    const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    const identity = await openIdentity(directory, runtime);
    const salt = saltOf(identity.storeId);
    const segments = new Segments(disk, storePaths(directory).segments, log);
    const numbers = await segments.load();
    const unsafe = await UnsafeSegments.load(storePaths(directory).unsafe, disk, log, numbers);
    const { index, trusted } = await openIndex(directory, identity, runtime, indexFactory);
    const catalog = new Catalog(index);
    const reader = new PageReader(segments, clock);
    try {
      const recovered = await recover({ catalog, segments, unsafe, reader, salt, log }, numbers, trusted);
      await setIndexState(directory, identity, runtime, 'ready');
      const segmentLog = new SegmentLog(segments, unsafe, segmentBytes, clock, log, (segment, syncedOffset) =>
        compaction.noticeFailure(segment, syncedOffset),
      );
      await segmentLog.resume(recovered.lastNumber, recovered.endOffset);
      const reserveBytes = options.reserveBytes ?? segmentBytes;
      const space = new Space(disk, clock, directory, reserveBytes);
      const writer = new Writer({
        catalog,
        segmentLog,
        space,
        clock,
        log,
        salt,
        maximumBatchBytes: segmentBytes,
        onTouched: (touched) => compaction.notice(touched),
        onFull: () => compaction.hurry(),
      });
      const compaction: Compaction = new Compaction({
        catalog,
        segments,
        segmentLog,
        unsafe,
        reader,
        writer,
        clock,
        log,
        salt,
      });
      for (const [segment, fromOffset] of unsafe.entries()) compaction.noticeFailure(segment, fromOffset);
      compaction.notice(segments.numbers());
      return new Store(identity, {
        options,
        runtime,
        index,
        catalog,
        segments,
        reader,
        segmentLog,
        writer,
        compaction,
        reserveBytes,
      });
    } catch (error) {
      await segments.close();
      await index.close();
      throw error;
    }
  }

  get blocks(): number {
    return this.parts.catalog.blocks;
  }

  get bytes(): number {
    return this.parts.catalog.bytes;
  }

  get storedBytes(): number {
    return this.parts.segments.storedBytes;
  }

  get syncs(): number {
    return this.parts.segmentLog.syncs;
  }

  get compacted(): number {
    return this.parts.compaction.compacted;
  }

  /** Stamps the store with its cluster, durably. */
  async adopt(clusterId: string): Promise<void> {
    const { options, runtime } = this.parts;
    await saveIdentity(options.directory, { ...this.identity, clusterId }, runtime.disk);
    this.identity.clusterId = clusterId;
  }

  /** Rejects with ServiceError FAILED when the disk does. */
  put(item: PutItem, durable: boolean, replace: boolean): Promise<PutResult> {
    const { catalog, compaction, reader, segmentLog, writer, runtime } = this.parts;
    compaction.noteRequest();
    return new Promise((resolve, reject) => {
      writer.submit({
        kind: 'put',
        durable,
        blocks: [blockName(item.inode, item.index)],
        bytes: 'data' in item ? item.data.length : item.writes.reduce((sum, { data }) => sum + data.length, PAGE_BYTES),
        async plan() {
          const { draft, result } = await planPut({ catalog, reader, segmentLog, clock: runtime.clock }, item, replace);
          return { drafts: draft === null ? [] : [draft], removals: [], done: () => resolve(result) };
        },
        failed: reject,
        full: () => resolve({ state: 'full' }),
      });
    });
  }

  /** The bytes of the answer are lent. */
  async get(item: GetItem): Promise<GetResult> {
    this.parts.compaction.noteRequest();
    for (;;) {
      const row = this.parts.catalog.get(item);
      if (row === undefined) return { state: 'absent' };
      try {
        return await this.#read(row, item);
      } catch (error) {
        if (!(error instanceof UnreadableError)) throw error;
        // Compaction may have moved it while it was being read.
        const now = this.parts.catalog.get(item);
        if (now === undefined || (now.home.segment === row.home.segment && now.home.offset === row.home.offset)) {
          this.parts.runtime.log.warn('block.unreadable', { ...keyOf(item), reason: error.message });
          return { state: now === undefined ? 'absent' : 'damaged' };
        }
      }
    }
  }

  /** Answers how many of them were here. */
  async delete(keys: readonly BlockKey[]): Promise<number> {
    this.parts.compaction.noteRequest();
    const deleted: Promise<number>[] = [];
    for (let at = 0; at < keys.length; at += MAXIMUM_TOMBSTONES) {
      deleted.push(this.#deleteSome(keys.slice(at, at + MAXIMUM_TOMBSTONES)));
    }
    return (await Promise.all(deleted)).reduce((sum, count) => sum + count, 0);
  }

  list(after: BlockKey | undefined, limit: number): { entries: ListEntry[]; next?: BlockKey } {
    const wanted = Math.min(limit, MAXIMUM_LIST_ENTRIES);
    const found = this.parts.catalog.list(after, wanted + 1);
    const entries = found.slice(0, wanted).map(({ key, row }) => ({
      ...key,
      length: row.length,
      hash: storedHash(row),
      modifiedNs: row.modifiedNs,
    }));
    const last = found.length > wanted ? found[wanted - 1] : undefined;
    return last === undefined ? { entries } : { entries, next: last.key };
  }

  /** The newest version of a block; undefined when there is none. */
  newestVersion(inode: number, index: number): number | undefined {
    return this.parts.catalog.versionsOf(inode, index).at(-1)?.key.version;
  }

  has(key: BlockKey): boolean {
    return this.parts.catalog.get(key) !== undefined;
  }

  flush(): Promise<void> {
    return this.parts.segmentLog.flush();
  }

  /** Resolves when nothing is left to compact: for tests. */
  compacting(): Promise<void> {
    return this.parts.compaction.idle();
  }

  /** What puts may still take: the reserve is not theirs. */
  async space(): Promise<DiskSpace> {
    const { runtime, options, reserveBytes } = this.parts;
    const space = await runtime.disk.space(options.directory);
    return { ...space, freeBytes: Math.max(0, space.freeBytes - reserveBytes) };
  }

  /** Everything stored is durable when it resolves. */
  async close(): Promise<void> {
    const { compaction, writer, segmentLog, segments, index } = this.parts;
    await compaction.close();
    await writer.close();
    try {
      await segmentLog.close();
    } finally {
      await segments.close();
      await index.close();
    }
  }

  async #read(row: VersionRow, item: GetItem): Promise<GetResult> {
    const { length } = row;
    const start = Math.min(item.offset, length);
    const end = Math.min(start + item.length, length);
    const firstPage = Math.floor(start / PAGE_BYTES);
    const count = end === start ? 0 : pageCount(end) - firstPage;
    if (count === 0) {
      const empty = { state: 'present' as const, hash: storedHash(row), length };
      return item.data ? { ...empty, data: Buffer.alloc(0), ...pageHashesIfPart(row.pageHashes, 0, length) } : empty;
    }
    const { reader } = this.parts;
    const rehashed = (bytes: Buffer) => {
      const pageHashes = rehash(row, firstPage, bytes);
      if (!pageHashes.equals(row.pageHashes)) this.#noteDamage(item, row, pageHashes);
      return { pageHashes, hash: hashOfPages(pageHashes, length) };
    };
    if (!item.data) {
      const { hash } = await reader.inspect(row, firstPage, count, rehashed);
      return { state: 'present', hash, length };
    }
    const bytes = await reader.read(row, firstPage, count);
    const { pageHashes, hash } = rehashed(bytes);
    const data = lend(bytes.subarray(start - firstPage * PAGE_BYTES, end - firstPage * PAGE_BYTES), () =>
      giveBack(bytes),
    );
    return { state: 'present', hash, length, data, ...pageHashesIfPart(pageHashes, data.length, length) };
  }

  #noteDamage(item: GetItem, row: VersionRow, now: Buffer): void {
    let pages = 0;
    for (let at = 0; at < now.length; at += 8) {
      if (now.readBigUInt64LE(at) !== row.pageHashes.readBigUInt64LE(at)) pages++;
    }
    this.damagedPages += pages;
    this.parts.runtime.log.warn('block.damaged', { ...keyOf(item), pages });
  }

  #deleteSome(keys: readonly BlockKey[]): Promise<number> {
    const { catalog, writer } = this.parts;
    return new Promise((resolve, reject) => {
      writer.submit({
        kind: 'delete',
        durable: false,
        blocks: keys.map(({ inode, index }) => blockName(inode, index)),
        bytes: 0,
        async plan(): Promise<Plan> {
          const tombstones = new Map<string, Tombstone>();
          for (const key of keys) {
            const row = catalog.get(key);
            if (row === undefined) continue;
            const { firstSegment, home } = row;
            tombstones.set(`${blockName(key.inode, key.index)}/${key.version}`, { key, firstSegment, last: home });
          }
          const found = [...tombstones.values()];
          const draft: TombstonesDraft = { kind: 'tombstones', tombstones: found };
          const done = () => resolve(found.length);
          return { drafts: found.length === 0 ? [] : [draft], removals: found.map(({ key }) => key), done };
        },
        failed: reject,
        full: () => resolve(0),
      });
    });
  }
}

/** Page hashes go along when the bytes are not the whole block, so that the receiver can check them by itself. */
function pageHashesIfPart(pageHashes: Buffer, bytes: number, length: number): { pageHashes?: Uint8Array } {
  return bytes === length ? {} : { pageHashes };
}

function keyOf({ inode, index, version }: BlockKey): BlockKey {
  return { inode, index, version };
}

/** An index that can't be opened, or is not of this boot, is removed before anything reads it. */
async function openIndex(
  directory: string,
  identity: Identity,
  runtime: Runtime,
  factory: IndexFactory,
): Promise<{ index: IndexStore; trusted: boolean }> {
  const path = storePaths(directory).index;
  const isTrusted = await isIndexTrusted(directory, identity, runtime);
  await setIndexState(directory, identity, runtime, 'opening');
  if (isTrusted) {
    try {
      return { index: await factory(path, runtime), trusted: true };
    } catch (error) {
      runtime.log.warn('index.unreadable', { reason: String(error) });
    }
  }
  await runtime.disk.remove(path);
  const index = await factory(path, runtime);
  index.clear();
  return { index, trusted: false };
}
