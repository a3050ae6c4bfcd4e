// What a server that keeps no common order stores: records in a log, and now and then its whole state in their place.
import { join } from 'node:path';
import type { Content, Mark } from '../../replication/core/core.js';
import { ReplicationLog } from '../../replication/log/replication-log.js';
import { assert } from '../../runtime/assert.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import { damaged } from './damage.js';
import { StateFile } from './state-file.js';

const SEGMENT_BYTES = 2 * 1024 * 1024;
/** Records are read once, at the start. */
const CACHE_BYTES = 0;
/** The state is stored when the records behind the last one have so many bytes, and half as many as the state. */
const MOST_RECORD_BYTES = 4 * 1024 * 1024;
/** Records are read so many at a time. */
const READ_AT_ONCE = 256;
const TERM = 1;
const NOBODY = { voters: [], learners: [] };
const INDEX_BYTES = 8;

export interface Journal {
  /** Calls back with each part of the last state, if there is one, and then with each record behind it. */
  replay(part: (bytes: Uint8Array) => void, record: (bytes: Uint8Array) => void): Promise<void>;
  /** On stable storage when it resolves; what is appended meanwhile is stored together. */
  append(record: Uint8Array): Promise<void>;
  /** Stores the whole state, as it is now. */
  keep(): Promise<void>;
  close(): Promise<void>;
}

/** Forgets everything when the process ends. */
export const NO_JOURNAL: Journal = {
  replay: async () => {},
  append: async () => {},
  keep: async () => {},
  close: async () => {},
};

export class DiskJournal implements Journal {
  #waiting: Uint8Array[] = [];
  #storing: Promise<void> | null = null;
  /** Of the records that the stored state lacks. */
  #bytes = 0;
  #stateBytes = 0;
  /** All records up to there are in the state; those of the last append may not be. */
  #absorbedUpTo = 0;
  #isKeeping = false;
  #log: ReplicationLog | null = null;
  readonly #appending = new SerialQueue();
  readonly #keeping = new SerialQueue();
  readonly #file: StateFile;
  readonly #directory: string;
  readonly #runtime: Runtime;
  /** As it is now, whatever becomes of it while the parts are asked for. */
  readonly #state: () => Iterable<Uint8Array>;

  constructor(directory: string, state: () => Iterable<Uint8Array>, runtime: Runtime) {
    this.#directory = directory;
    this.#state = state;
    this.#runtime = runtime;
    this.#file = new StateFile(join(directory, 'state'), runtime.disk);
  }

  async replay(part: (bytes: Uint8Array) => void, record: (bytes: Uint8Array) => void): Promise<void> {
    const index = await this.#replayState(part);
    const directory = join(this.#directory, 'log');
    await this.#runtime.disk.makeDirectory(directory);
    const settings = { owner: 'journal', segmentBytes: SEGMENT_BYTES, cacheBytes: CACHE_BYTES };
    const log = await ReplicationLog.open(directory, markAt(index), settings, this.#runtime);
    this.#log = log;
    if (log.damagedUpTo > 0) throw damaged(directory, `records behind number ${log.lastIndex} are lost`);
    for (let first = Math.max(index, log.mark.index) + 1; first <= log.lastIndex; first += READ_AT_ONCE) {
      const entries = await log.read(first, Math.min(log.lastIndex, first + READ_AT_ONCE - 1));
      for (const { content } of entries) record(dataOf(content));
    }
    this.#absorbedUpTo = log.lastIndex;
  }

  append(record: Uint8Array): Promise<void> {
    this.#waiting.push(record);
    this.#storing ??= this.#appending.run(() => this.#store());
    return this.#storing;
  }

  /** Records that are appended meanwhile do not wait for it. */
  keep(): Promise<void> {
    return this.#keeping.run(() => this.#keep());
  }

  async close(): Promise<void> {
    await this.#appending.idle();
    await this.#keeping.idle();
    await this.#log?.close();
  }

  /** @returns the last record that is in it */
  async #replayState(part: (bytes: Uint8Array) => void): Promise<number> {
    const parts = this.#file.read();
    const { value: head } = await parts.next();
    if (head === undefined) return 0;
    for await (const bytes of parts) part(bytes);
    return Number(new DataView(head.buffer, head.byteOffset).getBigUint64(0));
  }

  async #store(): Promise<void> {
    const records = this.#waiting;
    this.#waiting = [];
    this.#storing = null;
    const log = this.#log;
    assert(log !== null, 'a journal is read before it is written');
    const first = log.lastIndex + 1;
    const entries = records.map((data, at) => {
      this.#bytes += data.length;
      return { index: first + at, term: TERM, content: { kind: 'data', data, bytes: data.length } as const };
    });
    await log.append(null, entries);
    this.#absorbedUpTo = first - 1;
    if (this.#bytes > Math.max(MOST_RECORD_BYTES, this.#stateBytes / 2)) this.#keepInBackground();
  }

  #keepInBackground(): void {
    if (this.#isKeeping) return;
    this.#isKeeping = true;
    this.keep()
      .catch((error: unknown) => {
        rethrowProgramFault(error);
        // The log has everything: it is tried again when more is appended.
        this.#runtime.log.error('catalog.not_kept', errorFields(error));
      })
      .finally(() => {
        this.#isKeeping = false;
      });
  }

  async #keep(): Promise<void> {
    const index = this.#absorbedUpTo;
    this.#bytes = 0;
    this.#stateBytes = await this.#file.replace(withIndex(index, this.#state()));
    await this.#appending.run(async () => {
      await this.#log?.compact(index);
    });
  }
}

function* withIndex(index: number, parts: Iterable<Uint8Array>): Generator<Uint8Array> {
  const head = new Uint8Array(INDEX_BYTES);
  new DataView(head.buffer).setBigUint64(0, BigInt(index));
  yield head;
  yield* parts;
}

function markAt(index: number): Mark {
  return { index, term: index === 0 ? 0 : TERM, members: NOBODY };
}

function dataOf(content: Content): Uint8Array {
  assert(content.kind === 'data' && content.data instanceof Uint8Array, 'a journal holds records');
  return content.data;
}
