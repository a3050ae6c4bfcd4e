// One replica's store: answers puts, gets, deletes and lists. Arguments have
// been checked before they come here. open-store.ts puts it together.
import type { BlockKey, GetItem, GetResult, ListEntry, PutItem, PutResult } from '../protocol/services/blocks.js';
import { PAGE_BYTES } from '../protocol/values/hash.js';
import { errorFields } from '../runtime/caught-errors.js';
import type { DiskSpace } from '../runtime/disk.js';
import type { DiskTrouble } from '../runtime/disk-trouble.js';
import { rethrowProgramFault } from '../runtime/faults.js';
import type { Runtime } from '../runtime/runtime.js';
import { SerialQueue } from '../runtime/serial-queue.js';
import type { Compaction } from './compaction/compaction.js';
import { blockName } from './format/keys.js';
import type { Tombstone } from './format/record.js';
import { storedHash } from './format/version-row.js';
import { type Identity, saveIdentity } from './identity.js';
import type { Catalog } from './index/catalog.js';
import type { IndexStore } from './index/index-store.js';
import { MAXIMUM_LIST_ENTRIES, MAXIMUM_TOMBSTONES } from './limits.js';
import type { Condition } from './log/condition.js';
import type { SegmentLog } from './log/segment-log.js';
import type { Segments } from './log/segments.js';
import type { BlockReader } from './reading/block-reader.js';
import type { DirectReader } from './reading/direct-reader.js';
import type { PageReader } from './reading/page-reader.js';
import type { BatchWriter } from './writing/batch-writer.js';
import type { Plan } from './writing/mutation.js';
import { planPut } from './writing/put-plan.js';

export interface StoreParts {
  identity: Identity;
  directory: string;
  runtime: Runtime;
  index: IndexStore;
  catalog: Catalog;
  segments: Segments;
  reader: PageReader;
  direct: DirectReader;
  blockReader: BlockReader;
  segmentLog: SegmentLog;
  writer: BatchWriter;
  compaction: Compaction;
  condition: Condition;
  /** Free space on the disk that puts leave alone. */
  reserveBytes: number;
}

export class Store {
  readonly #identifying = new SerialQueue();
  readonly #parts: StoreParts;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  get identity(): Identity {
    return this.#parts.identity;
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

  /** Pages that, when they were read, did not have their stored hash. */
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
  adopt(clusterId: string): Promise<void> {
    return this.#identify({ clusterId });
  }

  /** A mediator of that epoch is here: older ones are over. A disk that takes nothing forgets it at a restart. */
  async noteEpoch(epoch: number): Promise<void> {
    const { identity, runtime } = this.#parts;
    if (epoch <= identity.epoch) return;
    identity.epoch = epoch;
    await this.#identify({}).catch((error: unknown) => {
      rethrowProgramFault(error);
      runtime.log.warn('store.epoch_not_kept', { epoch, ...errorFields(error) });
    });
  }

  #identify(changes: Partial<Identity>): Promise<void> {
    const { directory, identity, runtime } = this.#parts;
    return this.#identifying.run(async () => {
      await saveIdentity(directory, { ...identity, ...changes }, runtime.disk);
      Object.assign(identity, changes);
    });
  }

  /** Rejects with ServiceError FAILED when the disk fails. */
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
          const { record, result } = await planPut(
            { catalog, reader, segmentLog, clock: runtime.clock },
            item,
            replace,
          );
          return { records: record === null ? [] : [record], removals: [], done: () => resolve(result) };
        },
        failed: reject,
        full: () => resolve({ state: 'full' }),
      });
    });
  }

  /** Reads and hashes what is stored now. Results are in the order of the items; their bytes are lent. */
  get(items: readonly GetItem[]): Promise<GetResult[]> {
    this.#parts.compaction.noteRequest();
    return this.#parts.blockReader.get(items);
  }

  /** Answers how many of the versions were here. */
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

  /** The room for puts, without the reserve, and why they fail if they do. */
  async space(): Promise<DiskSpace & { trouble: DiskTrouble | null; reason: string }> {
    const { runtime, directory, reserveBytes, condition } = this.#parts;
    const space = await runtime.disk.space(directory);
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
          const done = () => resolve(found.length);
          return {
            records: found.length === 0 ? [] : [{ kind: 'tombstones', tombstones: found }],
            removals: found.map(({ key }) => key),
            done,
          };
        },
        failed: reject,
        full: () => resolve(0),
      });
    });
  }
}
