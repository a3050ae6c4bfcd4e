// Everything that changes the store goes through here, one batch after the
// other: plan each change against what is true now, write all their records
// with one call, then make them visible, then sync for those who asked. Nobody
// is answered before. What arrives meanwhile makes the next batch. The index
// follows a little later: the log has it all.
import { ServiceError } from '../../protocol/errors.js';
import type { BlockKey } from '../../protocol/services/blocks.js';
import { asError, errorFields, messageOf } from '../../runtime/caught-errors.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import { isProgramFault, rethrowProgramFault } from '../../runtime/faults.js';
import type { Log } from '../../runtime/log.js';
import { type Draft, type PlacedRecord, placeDraft, type TombstonesDraft } from '../format/draft.js';
import type { Catalog } from '../index/catalog.js';
import {
  INDEX_SAVE_BLOCKS,
  INDEX_SAVE_INTERVAL_MS,
  MAXIMUM_BATCH_BYTES,
  MAXIMUM_BATCH_MUTATIONS,
  MAXIMUM_OWED_TOMBSTONES,
  ZEROS_AHEAD_BYTES,
} from '../limits.js';
import type { ActiveSegment, SegmentLog } from '../log/segment-log.js';
import { isNoRoom, type Space } from '../log/space.js';

/** What a change comes to. */
export interface Plan {
  drafts: Draft[];
  removals: BlockKey[];
  /** Answers whoever asked, when the change is stored. */
  done(): void;
}

export interface Mutation {
  /** put: refused when the disk is full; delete: then carried out without its record; move: neither. */
  kind: 'put' | 'delete' | 'move';
  /** Answered when it is on stable storage. */
  durable: boolean;
  /** Names of the blocks that its plan looks at or changes: two that share one never go into the same batch. */
  blocks: readonly string[];
  /** About how much it will write. */
  bytes: number;
  plan(): Promise<Plan>;
  failed(error: Error): void;
  /** No room; nothing was written. */
  full(): void;
}

/** Changes nothing by itself: only what is owed goes with it. */
const PAYING: Mutation = {
  kind: 'move',
  durable: false,
  blocks: [],
  bytes: 0,
  plan: async () => ({ drafts: [], removals: [], done() {} }),
  failed() {},
  full() {},
};

interface Planned {
  mutation: Mutation;
  plan: Plan;
}

export interface WriterParts {
  catalog: Catalog;
  segmentLog: SegmentLog;
  space: Space;
  clock: Clock;
  log: Log;
  salt: bigint;
  maximumBatchBytes: number;
  /** Segments whose use has changed. */
  onTouched(segments: Iterable<number>): void;
  /** A put is refused for lack of room. */
  onFull(): void;
}

export class Writer {
  readonly #queue: Mutation[] = [];
  /** Records of deletions that found no room: they go with the next batch, or what is deleted comes back with a lost index. */
  #owed: TombstonesDraft[] = [];
  #running: Promise<void> | null = null;
  #closed = false;
  #saveTimer: Timer | undefined;

  readonly #parts: WriterParts;

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  submit(mutation: Mutation): void {
    if (this.#closed) {
      mutation.failed(new ServiceError('FAILED', 'the store is closing'));
      return;
    }
    this.#queue.push(mutation);
    // Begins behind this turn, so that all that one message asks for is in the first batch.
    this.#running ??= Promise.resolve().then(() => this.#run());
  }

  /** Takes no more; resolves when all that was taken is done. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#running !== null) await this.#running;
    if (this.#owed.length > 0) {
      // A last attempt; the index knows it all anyway, unless it is lost.
      this.#queue.push(PAYING);
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

  /** Answers what is to be stored all the same. */
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
    // All at once, since many read from the disk.
    const plans = isOne ? [await this.#planOne(first)] : await Promise.all(batch.map((each) => this.#planOne(each)));
    return plans.filter((plan) => plan !== null);
  }

  /** One that can't be planned fails by itself. */
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
    const needsRecords = planned.some(({ mutation, plan }) => plan.drafts.length > 0 || mutation === PAYING);
    const needsSync = planned.some(({ mutation }) => mutation.durable);
    let active: ActiveSegment | null = null;
    let records: PlacedRecord[] = [];
    if (needsRecords) {
      try {
        active = await segmentLog.ready();
        // Since a sync failed meanwhile, plans may build on what is not durable and never will be. One look is enough: in a
        // segment that was begun just now nothing waits for its sync.
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
    // Without a record of its own, what is durable already may still wait for its first sync.
    return active === null ? segmentLog.syncActive() : segmentLog.synced(active);
  }

  async #append(active: ActiveSegment, planned: readonly Planned[], needsSync: boolean): Promise<PlacedRecord[]> {
    const { segmentLog, space, salt } = this.#parts;
    const records: PlacedRecord[] = [];
    const chunks: Uint8Array[] = [];
    let offset = active.endOffset;
    const place = (draft: Draft): void => {
      const record = placeDraft(draft, { segment: active.number, offset }, salt);
      records.push(record);
      for (const chunk of record.chunks) chunks.push(chunk);
      offset += record.sizeBytes;
    };
    for (const draft of this.#owed) place(draft);
    for (const { plan } of planned) for (const draft of plan.drafts) place(draft);
    const bytes = offset - active.endOffset;
    const mayWriteAhead = needsSync && space.hasToSpare(bytes + ZEROS_AHEAD_BYTES);
    await segmentLog.append(active, chunks, bytes, mayWriteAhead);
    this.#owed = [];
    space.wrote(bytes);
    return records;
  }

  #apply(planned: readonly Planned[], records: readonly PlacedRecord[], active: ActiveSegment | null): void {
    const { catalog } = this.#parts;
    for (const { draft, place, row } of records) {
      if (draft.kind === 'tombstones') catalog.addTombstones(place.segment, draft.tombstones);
      else if (row !== undefined) catalog.put(draft.key, row);
    }
    for (const { plan } of planned) for (const key of plan.removals) catalog.remove(key);
    if (active !== null) catalog.reach({ segment: active.number, offset: active.endOffset });
    this.#parts.onTouched(catalog.takeTouched());
    if (catalog.pending >= INDEX_SAVE_BLOCKS) catalog.save();
    else this.#saveTimer ??= this.#parts.clock.after(INDEX_SAVE_INTERVAL_MS, () => this.#saveNow());
  }

  #saveNow(): void {
    this.#saveTimer = undefined;
    try {
      this.#parts.catalog.save();
    } catch (error) {
      rethrowProgramFault(error);
      // It stays in memory, and in the log.
      this.#parts.log.warn('index.save_failed', errorFields(error));
    }
  }

  /** The log took nothing. */
  #storeWithout(planned: readonly Planned[], error: unknown): void {
    const noRoom = isNoRoom(error);
    this.#parts.log.error('segment.write_failed', errorFields(error));
    for (const { mutation, plan } of planned) {
      if (noRoom && mutation.kind === 'put') {
        mutation.full();
      } else if (noRoom && mutation.kind === 'delete') {
        // Deleting is what makes room. Should the index be lost before its record is written, these versions come back as garbage.
        this.#owe(plan.drafts);
        this.#apply([{ mutation, plan }], [], null);
        this.#parts.catalog.save();
        plan.done();
      } else {
        this.#fail([mutation], error);
      }
    }
  }

  #owe(drafts: readonly Draft[]): void {
    const owed = drafts.filter((draft) => draft.kind === 'tombstones');
    const count = [...this.#owed, ...owed].reduce((sum, { tombstones }) => sum + tombstones.length, 0);
    if (count <= MAXIMUM_OWED_TOMBSTONES) this.#owed.push(...owed);
    else this.#parts.log.warn('tombstones.dropped', { count: count - MAXIMUM_OWED_TOMBSTONES });
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
