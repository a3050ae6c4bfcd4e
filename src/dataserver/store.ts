// One replica's store, put together: opens it, recovers it, and answers puts,
// gets, deletes and lists. Arguments have been checked before they come here.
import type { BlockKey, GetItem, GetResult, ListEntry, PutItem, PutResult } from '../protocol/services/blocks.js';
import { PAGE_BYTES } from '../protocol/values/hash.js';
import { errorFields } from '../runtime/caught-errors.js';
import type { DiskSpace } from '../runtime/disk.js';
import type { DiskTrouble } from '../runtime/disk-trouble.js';
import { Pacer } from '../runtime/pacer.js';
import type { Runtime } from '../runtime/runtime.js';
import { Compaction } from './compaction/compaction.js';
import type { TombstonesDraft } from './format/draft.js';
import { blockName } from './format/keys.js';
import { saltOf, type Tombstone } from './format/record.js';
import { storedHash } from './format/version-row.js';
import { type Identity, isIndexTrusted, openIdentity, saveIdentity, setIndexState, storePaths } from './identity.js';
import { Catalog } from './index/catalog.js';
import type { IndexFactory, IndexStore } from './index/index-store.js';
import { MAXIMUM_LIST_ENTRIES, MAXIMUM_TOMBSTONES, SEGMENT_BYTES } from './limits.js';
import { Condition } from './log/condition.js';
import { SegmentLog } from './log/segment-log.js';
import { Segments } from './log/segments.js';
import { Space } from './log/space.js';
import { UnsafeSegments } from './log/unsafe-segments.js';
import { BlockReader } from './reading/block-reader.js';
import { DirectReader } from './reading/direct-reader.js';
import { PageReader } from './reading/page-reader.js';
import { recover } from './recovery.js';
import { planPut } from './writing/put-plan.js';
import { type Plan, Writer } from './writing/writer.js';

export interface StoreOptions {
  directory: string;
  /** A segment is closed when it has grown to this. Default 64 MiB. */
  segmentBytes?: number;
  /** Free space on the disk that puts leave alone. Default: one segment. */
  reserveBytes?: number;
  /** Shorter reads always go through the system's page cache. Default 256 KiB. */
  directReadBytes?: number;
}

interface Parts {
  options: StoreOptions;
  runtime: Runtime;
  index: IndexStore;
  catalog: Catalog;
  segments: Segments;
  reader: PageReader;
  direct: DirectReader;
  blockReader: BlockReader;
  segmentLog: SegmentLog;
  writer: Writer;
  compaction: Compaction;
  condition: Condition;
  reserveBytes: number;
}

export class Store {
  readonly #parts: Parts;

  private constructor(
    readonly identity: Identity,
    parts: Parts,
  ) {
    this.#parts = parts;
  }

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
    // Reads from the segments, whichever way, tell together whether the disk is quick.
    const pacer = new Pacer(clock);
    const reader = new PageReader(segments, pacer);
    const direct = new DirectReader({ segments, unsafe, pacer, clock, log }, options.directReadBytes);
    try {
      const recovered = await recover({ catalog, segments, unsafe, reader, salt, log }, numbers, trusted);
      await setIndexState(directory, identity, runtime, 'ready');
      const condition = new Condition();
      const segmentLog = new SegmentLog(
        segments,
        unsafe,
        segmentBytes,
        clock,
        log,
        condition,
        (segment, syncedOffset) => compaction.noticeFailure(segment, syncedOffset),
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
        direct,
        blockReader: new BlockReader(catalog, reader, direct, log),
        segmentLog,
        writer,
        compaction,
        condition,
        reserveBytes,
      });
    } catch (error) {
      await segments.close();
      await index.close();
      throw error;
    }
  }

  get blocks(): number {
    return this.#parts.catalog.blocks;
  }

  get bytes(): number {
    return this.#parts.catalog.bytes;
  }

  get storedBytes(): number {
    return this.#parts.segments.storedBytes;
  }

  /** Pages that did not have the hash that was stored with them when somebody read them. */
  get damagedPages(): number {
    return this.#parts.blockReader.damagedPages;
  }

  /** Bytes that were read past the system's page cache. */
  get directBytes(): number {
    return this.#parts.direct.readBytes;
  }

  get syncs(): number {
    return this.#parts.segmentLog.syncs;
  }

  get compacted(): number {
    return this.#parts.compaction.compacted;
  }

  /** Stamps the store with its cluster, durably. */
  async adopt(clusterId: string): Promise<void> {
    const { options, runtime } = this.#parts;
    await saveIdentity(options.directory, { ...this.identity, clusterId }, runtime.disk);
    this.identity.clusterId = clusterId;
  }

  /** Rejects with ServiceError FAILED when the disk does. */
  put(item: PutItem, durable: boolean, replace: boolean): Promise<PutResult> {
    const { catalog, compaction, reader, segmentLog, writer, runtime } = this.#parts;
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

  /** What is stored now, hashed now, in the order of the items; the bytes are lent. */
  get(items: readonly GetItem[]): Promise<GetResult[]> {
    this.#parts.compaction.noteRequest();
    return this.#parts.blockReader.get(items);
  }

  /** Answers how many of them were here. */
  async delete(keys: readonly BlockKey[]): Promise<number> {
    this.#parts.compaction.noteRequest();
    const deleted: Promise<number>[] = [];
    for (let at = 0; at < keys.length; at += MAXIMUM_TOMBSTONES) {
      deleted.push(this.#deleteSome(keys.slice(at, at + MAXIMUM_TOMBSTONES)));
    }
    return (await Promise.all(deleted)).reduce((sum, count) => sum + count, 0);
  }

  list(after: BlockKey | undefined, limit: number): { entries: ListEntry[]; next?: BlockKey } {
    const wanted = Math.min(limit, MAXIMUM_LIST_ENTRIES);
    const found = this.#parts.catalog.list(after, wanted + 1);
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
    return this.#parts.catalog.versionsOf(inode, index).at(-1)?.key.version;
  }

  has(key: BlockKey): boolean {
    return this.#parts.catalog.get(key) !== undefined;
  }

  flush(): Promise<void> {
    return this.#parts.segmentLog.flush();
  }

  /** Resolves when nothing is left to compact: for tests. */
  compacting(): Promise<void> {
    return this.#parts.compaction.idle();
  }

  /** What puts may still take, the reserve not being theirs, and what stands against them. */
  async space(): Promise<DiskSpace & { trouble: DiskTrouble | null; reason: string }> {
    const { runtime, options, reserveBytes, condition } = this.#parts;
    const space = await runtime.disk.space(options.directory);
    const freeBytes = Math.max(0, space.freeBytes - reserveBytes);
    const { trouble, reason } = condition;
    if (trouble !== null || freeBytes > 0) return { ...space, freeBytes, trouble, reason };
    return { ...space, freeBytes, trouble: 'full', reason: 'no room but what is kept for removals' };
  }

  /** Everything stored is durable when it resolves. */
  async close(): Promise<void> {
    const { compaction, writer, segmentLog, segments, index } = this.#parts;
    await compaction.close();
    await writer.close();
    try {
      await segmentLog.close();
    } finally {
      await segments.close();
      await index.close();
    }
  }

  #deleteSome(keys: readonly BlockKey[]): Promise<number> {
    const { catalog, writer } = this.#parts;
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
      runtime.log.warn('index.unreadable', errorFields(error));
    }
  }
  await runtime.disk.remove(path);
  const index = await factory(path, runtime);
  index.clear();
  return { index, trusted: false };
}
