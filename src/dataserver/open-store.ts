// Opens a store: recovers it from its segments, and puts its parts together.
import { errorFields } from '../runtime/caught-errors.js';
import { Pacer } from '../runtime/pacer.js';
import type { Runtime } from '../runtime/runtime.js';
import { Compaction } from './compaction/compaction.js';
import { saltOf } from './format/record.js';
import { type Identity, isIndexTrusted, openIdentity, setIndexState, storePaths } from './identity.js';
import { Catalog } from './index/catalog.js';
import type { IndexFactory, IndexStore } from './index/index-store.js';
import { SEGMENT_BYTES } from './limits.js';
import { Condition } from './log/condition.js';
import { DirectAppend } from './log/direct-append.js';
import { SegmentLog } from './log/segment-log.js';
import { Segments } from './log/segments.js';
import { Space } from './log/space.js';
import { UnsafeSegments } from './log/unsafe-segments.js';
import type { StoreOptions } from './options.js';
import { BlockReader } from './reading/block-reader.js';
import { DirectReader } from './reading/direct-reader.js';
import { PageReader } from './reading/page-reader.js';
import { recover } from './recovery.js';
import { Store } from './store.js';
import { BatchWriter } from './writing/batch-writer.js';

/** Opens the store, making it at the first start. Rejects when what is in the folder can't be used. */
export async function openStore(options: StoreOptions, runtime: Runtime, indexFactory: IndexFactory): Promise<Store> {
  const { directory } = options;
  const { clock, disk, log } = runtime;
  const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
  const reserveBytes = options.reserveBytes ?? segmentBytes;
  const identity = await openIdentity(directory, runtime);
  const salt = saltOf(identity.storeId);
  const segments = new Segments(disk, storePaths(directory).segments, log);
  const numbers = await segments.load();
  const unsafe = await UnsafeSegments.load(storePaths(directory).unsafe, disk, log, numbers);
  const { index, trusted } = await openIndex(directory, identity, runtime, indexFactory);
  const catalog = new Catalog(index);
  // One pacer for all reads of segments, cached or direct: together they tell whether the disk is quick.
  const pacer = new Pacer(clock);
  const reader = new PageReader(segments, pacer);
  const direct = new DirectReader({ segments, unsafe, pacer, clock, log }, options.directReadBytes);
  try {
    const recovered = await recover({ catalog, segments, unsafe, reader, salt, log }, numbers, trusted);
    await setIndexState(directory, identity, runtime, 'ready');
    const condition = new Condition();
    const segmentLog = new SegmentLog({
      segments,
      unsafe,
      segmentBytes,
      direct: new DirectAppend(log, options.directAppendBytes),
      clock,
      log,
      condition,
      onFailedSegment: (segment, syncedOffset) => compaction.noticeFailure(segment, syncedOffset),
    });
    await segmentLog.resume(recovered.lastNumber, recovered.endOffset);
    const writer = new BatchWriter({
      catalog,
      segmentLog,
      space: new Space(disk, clock, directory, reserveBytes),
      clock,
      log,
      salt,
      maximumBatchBytes: segmentBytes,
      onUseChanged: (changed) => compaction.notice(changed),
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
    const blockReader = new BlockReader(catalog, reader, direct, log);
    return new Store({
      identity,
      directory,
      runtime,
      index,
      catalog,
      segments,
      reader,
      direct,
      blockReader,
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

/** Opens the index. One that can't be opened, or is not of this boot, is removed before anything reads it. */
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
