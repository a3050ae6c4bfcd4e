// What a server that keeps no common order stores: records in a log, and now and then its whole state in their place.
import { join } from 'node:path';
import type { Content, Mark } from '../../replication/core/core.js';
import { ReplicationLog } from '../../replication/log/replication-log.js';
import { assert } from '../../runtime/assert.js';
import type { Runtime } from '../../runtime/runtime.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import { SmallFiles } from './small-files.js';

const SEGMENT_BYTES = 2 * 1024 * 1024;
/** Records are read once, at the start. */
const CACHE_BYTES = 0;
/** The state is stored when the records behind the last one have so many bytes. */
const MOST_RECORD_BYTES = 4 * 1024 * 1024;
const TERM = 1;
const NOBODY = { voters: [], learners: [] };
const INDEX_BYTES = 8;

export interface Journal {
  /** Calls back with the last state, if there is one, and then with each record behind it. */
  replay(state: (bytes: Uint8Array) => void, record: (bytes: Uint8Array) => void): Promise<void>;
  /** On stable storage when it resolves; what is appended meanwhile is stored together. */
  append(record: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Forgets everything when the process ends. */
export const NO_JOURNAL: Journal = {
  replay: async () => {},
  append: async () => {},
  close: async () => {},
};

export class DiskJournal implements Journal {
  #waiting: Uint8Array[] = [];
  #storing: Promise<void> | null = null;
  #bytes = 0;
  #log: ReplicationLog | null = null;
  readonly #queue = new SerialQueue();
  readonly #files: SmallFiles;
  readonly #directory: string;
  readonly #runtime: Runtime;
  /** As it is now. */
  readonly #state: () => Uint8Array;

  constructor(directory: string, state: () => Uint8Array, runtime: Runtime) {
    this.#directory = directory;
    this.#state = state;
    this.#runtime = runtime;
    this.#files = new SmallFiles(directory, runtime.disk);
  }

  async replay(state: (bytes: Uint8Array) => void, record: (bytes: Uint8Array) => void): Promise<void> {
    const kept = await this.#files.read('state');
    const index = kept === undefined ? 0 : Number(new DataView(kept.buffer, kept.byteOffset).getBigUint64(0));
    if (kept !== undefined) state(kept.subarray(INDEX_BYTES));
    const directory = join(this.#directory, 'log');
    await this.#runtime.disk.makeDirectory(directory);
    const settings = { owner: 'journal', segmentBytes: SEGMENT_BYTES, cacheBytes: CACHE_BYTES };
    this.#log = await ReplicationLog.open(directory, markAt(index), settings, this.#runtime);
    if (this.#log.damagedUpTo > 0) {
      throw new Error(
        `the log in ${directory} is damaged behind record ${this.#log.lastIndex}: remove the server's folder, and it gets all from the others`,
      );
    }
    const first = Math.max(index, this.#log.mark.index) + 1;
    if (this.#log.lastIndex < first) return;
    for (const { content } of await this.#log.read(first, this.#log.lastIndex)) record(dataOf(content));
  }

  append(record: Uint8Array): Promise<void> {
    this.#waiting.push(record);
    this.#storing ??= this.#queue.run(() => this.#store());
    return this.#storing;
  }

  async close(): Promise<void> {
    await this.#queue.run(async () => this.#log?.close());
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
    if (this.#bytes > MOST_RECORD_BYTES) await this.#keepState(log, first - 1);
  }

  /** @param index all records up to there are in the state; those of the last append may not be */
  async #keepState(log: ReplicationLog, index: number): Promise<void> {
    const state = this.#state();
    const bytes = new Uint8Array(INDEX_BYTES + state.length);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(index));
    bytes.set(state, INDEX_BYTES);
    await this.#files.replace('state', bytes);
    await log.compact(index);
    this.#bytes = 0;
  }
}

function markAt(index: number): Mark {
  return { index, term: index === 0 ? 0 : TERM, members: NOBODY };
}

function dataOf(content: Content): Uint8Array {
  assert(content.kind === 'data' && content.data instanceof Uint8Array, 'a journal holds records');
  return content.data;
}
