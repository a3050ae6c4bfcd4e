// All changes of the store go through here, as group commits: a batch is
// planned against what is stored now, written to the log with one call, made
// visible, and synced once for all who asked for durability; then they are
// answered. Mutations that arrive meanwhile form the next batch. The index is
// saved later: until then the log has everything.
import { ServiceError } from '../../protocol/errors.js';
import { asError, errorFields, messageOf } from '../../runtime/caught-errors.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import { isProgramFault, rethrowProgramFault } from '../../runtime/faults.js';
import type { Log } from '../../runtime/log.js';
import {
  type PlacedRecord,
  payloadBytesOf,
  type UnplacedRecord,
  type UnplacedTombstones,
} from '../format/unplaced-record.js';
import type { Catalog } from '../index/catalog.js';
import {
  INDEX_SAVE_BLOCKS,
  INDEX_SAVE_INTERVAL_MS,
  MAXIMUM_BATCH_BYTES,
  MAXIMUM_BATCH_MUTATIONS,
  MAXIMUM_UNLOGGED_TOMBSTONES,
  ZEROS_AHEAD_BYTES,
} from '../limits.js';
import type { ActiveSegment, SegmentLog } from '../log/segment-log.js';
import { isNoRoom, type Space } from '../log/space.js';
import type { Mutation, Plan } from './mutation.js';
import { placeBatch } from './placed-batch.js';

/** Has no records of its own: its batch writes the unlogged tombstones. */
const RETRY_UNLOGGED: Mutation = {
  kind: 'move',
  durable: false,
  blocks: [],
  bytes: 0,
  plan: async () => ({ records: [], removals: [], done() {} }),
  failed() {},
  full() {},
};

interface Planned {
  mutation: Mutation;
  plan: Plan;
}

export interface BatchWriterParts {
  catalog: Catalog;
  segmentLog: SegmentLog;
  space: Space;
  clock: Clock;
  log: Log;
  salt: bigint;
  maximumBatchBytes: number;
  /** The live bytes or tombstones of these segments have changed. */
  onUseChanged(segments: Iterable<number>): void;
  /** A put is refused for lack of room. */
  onFull(): void;
}

export class BatchWriter {
  readonly #queue: Mutation[] = [];
  /**
   * Tombstones of deletions that were carried out when the log had no room. The next batch writes them: were the index lost
   * before that, the deleted versions would come back.
   */
  #unlogged: UnplacedTombstones[] = [];
  #running: Promise<void> | null = null;
  #closed = false;
  #saveTimer: Timer | undefined;

  readonly #parts: BatchWriterParts;

  constructor(parts: BatchWriterParts) {
    this.#parts = parts;
  }

  submit(mutation: Mutation): void {
    if (this.#closed) {
      mutation.failed(new ServiceError('FAILED', 'the store is closing'));
      return;
    }
    this.#queue.push(mutation);
    // Starts after this turn of the event loop, so that all items of one message are in the first batch.
    this.#running ??= Promise.resolve().then(() => this.#run());
  }

  /** Takes no more mutations; resolves when all that were taken are done. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#running !== null) await this.#running;
    if (this.#unlogged.length > 0) {
      // A last attempt. Without it the deletions are only in the index.
      this.#queue.push(RETRY_UNLOGGED);
      await this.#run();
    }
    this.#saveTimer?.cancel();
    this.#saveNow();
  }

  /** Rejects with a program's fault only. */
  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#takeBatch();
      try {
        const putBytes = bytesOfPuts(batch);
        const isRoom = putBytes === 0 || this.#parts.space.isSureOfRoomFor(putBytes);
        await this.#store(isRoom ? batch : await this.#refuseWhenFull(batch, putBytes));
      } catch (error) {
        this.#fail(batch, error);
        rethrowProgramFault(error);
      }
    }
    this.#running = null;
  }

  #takeBatch(): Mutation[] {
    const limitBytes = Math.min(MAXIMUM_BATCH_BYTES, this.#parts.maximumBatchBytes);
    const touched = new Set<string>();
    let bytes = 0;
    let count = 0;
    for (const mutation of this.#queue) {
      const fits = bytes + mutation.bytes <= limitBytes && count < MAXIMUM_BATCH_MUTATIONS;
      if (count > 0 && (!fits || mutation.blocks.some((name) => touched.has(name)))) break;
      for (const name of mutation.blocks) touched.add(name);
      bytes += mutation.bytes;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  /** Refuses the puts of the batch when the disk is full. Answers the mutations that are to be stored. */
  async #refuseWhenFull(batch: readonly Mutation[], putBytes: number): Promise<readonly Mutation[]> {
    if (await this.#parts.space.hasRoomFor(putBytes)) return batch;
    this.#parts.onFull();
    const others: Mutation[] = [];
    for (const mutation of batch) {
      if (mutation.kind === 'put') mutation.full();
      else others.push(mutation);
    }
    return others;
  }

  async #plan(batch: readonly Mutation[]): Promise<Planned[]> {
    const [first] = batch;
    const isOne = first !== undefined && batch.length === 1;
    // In parallel, since many of them read from the disk.
    const plans = isOne ? [await this.#planOne(first)] : await Promise.all(batch.map((each) => this.#planOne(each)));
    return plans.filter((plan) => plan !== null);
  }

  /** A mutation that can't be planned fails alone; the rest of its batch goes on. */
  async #planOne(mutation: Mutation): Promise<Planned | null> {
    try {
      return { mutation, plan: await mutation.plan() };
    } catch (error) {
      this.#fail([mutation], error);
      return null;
    }
  }

  async #store(batch: readonly Mutation[]): Promise<void> {
    const { segmentLog } = this.#parts;
    const { failures } = segmentLog;
    let planned = await this.#plan(batch);
    if (planned.length === 0) return;
    const needsRecords = planned.some(({ mutation, plan }) => plan.records.length > 0 || mutation === RETRY_UNLOGGED);
    const needsSync = planned.some(({ mutation }) => mutation.durable);
    let active: ActiveSegment | null = null;
    let records: readonly PlacedRecord[] = [];
    if (needsRecords) {
      try {
        active = await segmentLog.ready();
        // A sync failed meanwhile: plans may refer to bytes that will never be durable, and are made anew. Once is enough,
        // since nothing waits for a sync of the segment that was begun just now.
        if (segmentLog.failures !== failures) planned = await this.#plan(planned.map(({ mutation }) => mutation));
        records = await this.#append(active, planned, needsSync);
      } catch (error) {
        this.#storeWithout(planned, error);
        return;
      }
    }
    this.#apply(planned, records, active);
    const synced = needsSync ? this.#synced(active) : Promise.resolve();
    for (const { mutation, plan } of planned) {
      if (mutation.durable) synced.then(plan.done, (error) => this.#fail([mutation], error));
      else plan.done();
    }
  }

  #synced(active: ActiveSegment | null): Promise<void> {
    const { segmentLog } = this.#parts;
    // Nothing was written, but the version that a put found stored already may not be synced yet.
    return active === null ? segmentLog.syncActive() : segmentLog.synced(active);
  }

  async #append(
    active: ActiveSegment,
    planned: readonly Planned[],
    needsSync: boolean,
  ): Promise<readonly PlacedRecord[]> {
    const { segmentLog, space, salt } = this.#parts;
    const unplaced: UnplacedRecord[] = this.#unlogged.slice();
    let payloadBytes = 0;
    for (const { plan } of planned) {
      for (const record of plan.records) {
        unplaced.push(record);
        payloadBytes += payloadBytesOf(record);
      }
    }
    const { number: segment, endOffset: offset } = active;
    const isDirect = segmentLog.appendsDirectly(active, payloadBytes);
    const batch = placeBatch(unplaced, { segment, offset }, salt, isDirect);
    const bytes = batch.endOffset - offset;
    const mayWriteAhead = needsSync && space.hasToSpare(bytes + ZEROS_AHEAD_BYTES);
    await segmentLog.append(active, batch, mayWriteAhead);
    this.#unlogged = [];
    space.wrote(bytes);
    return batch.records;
  }

  #apply(planned: readonly Planned[], records: readonly PlacedRecord[], active: ActiveSegment | null): void {
    const { catalog } = this.#parts;
    for (const { record, place, row } of records) {
      if (record.kind === 'tombstones') catalog.addTombstones(place.segment, record.tombstones);
      else if (row !== undefined) catalog.put(record.key, row);
    }
    for (const { plan } of planned) for (const key of plan.removals) catalog.remove(key);
    if (active !== null) catalog.reach({ segment: active.number, offset: active.endOffset });
    this.#parts.onUseChanged(catalog.takeChangedUses());
    if (catalog.pending >= INDEX_SAVE_BLOCKS) catalog.save();
    else this.#saveTimer ??= this.#parts.clock.after(INDEX_SAVE_INTERVAL_MS, () => this.#saveNow());
  }

  #saveNow(): void {
    this.#saveTimer = undefined;
    try {
      this.#parts.catalog.save();
    } catch (error) {
      // The changes stay in memory and in the log, and are saved with the next ones.
      rethrowProgramFault(error);
      this.#parts.log.warn('index.save_failed', errorFields(error));
    }
  }

  /** The log took none of the records. */
  #storeWithout(planned: readonly Planned[], error: unknown): void {
    const noRoom = isNoRoom(error);
    this.#parts.log.error('segment.write_failed', errorFields(error));
    for (const { mutation, plan } of planned) {
      if (noRoom && mutation.kind === 'put') {
        mutation.full();
      } else if (noRoom && mutation.kind === 'delete') {
        // Deleting is what makes room. Should the index be lost before the tombstones are logged, these versions come back as
        // garbage.
        this.#keepUnlogged(plan.records);
        this.#apply([{ mutation, plan }], [], null);
        this.#parts.catalog.save();
        plan.done();
      } else {
        this.#fail([mutation], error);
      }
    }
  }

  #keepUnlogged(records: readonly UnplacedRecord[]): void {
    const tombstones = records.filter((record) => record.kind === 'tombstones');
    const count = [...this.#unlogged, ...tombstones].reduce((sum, record) => sum + record.tombstones.length, 0);
    if (count <= MAXIMUM_UNLOGGED_TOMBSTONES) this.#unlogged.push(...tombstones);
    else this.#parts.log.warn('tombstones.dropped', { count: count - MAXIMUM_UNLOGGED_TOMBSTONES });
  }

  #fail(mutations: readonly Mutation[], error: unknown): void {
    // A program's fault keeps its stack: whoever answers the request logs it.
    const reason =
      error instanceof ServiceError || isProgramFault(error)
        ? asError(error)
        : new ServiceError('FAILED', messageOf(error));
    for (const mutation of mutations) mutation.failed(reason);
  }
}

function bytesOfPuts(batch: readonly Mutation[]): number {
  let sum = 0;
  for (const { kind, bytes } of batch) if (kind === 'put') sum += bytes;
  return sum;
}
