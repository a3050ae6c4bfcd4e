// The whole state of a member, as chunks: for members whose entries are in no log any more.
import { Buffer } from 'node:buffer';
import type { Key, Row } from '../../namespace/view.js';
import type { Mark } from '../../replication/core/core.js';
import type { MemberId } from '../../replication/core/members.js';
import type { ReceivedState, States } from '../../replication/member/state-machine.js';
import { assert } from '../../runtime/assert.js';
import type { BaseStorage, Replacement, StorageView } from '../engine/storage.js';
import type { AppliedRows } from './applied-rows.js';
import { decodeChanges, encodeChanges } from './batch.js';
import { decodeProgress, encodeProgress, PROGRESS_KEY, type Progress } from './progress.js';

/** A chunk ends with the row that goes beyond so many bytes, or is the last of so many. */
const CHUNK_BYTES = 512 * 1024;
const CHUNK_ROWS = 1024;
const BEHIND_ALL_KEYS: Key = `${PROGRESS_KEY}\u0000`;

/** A state on its way: rows. */
export interface Sending {
  to: MemberId;
  done: number;
  total: number;
}

export class WholeStates implements States {
  /** How far the states are that are being sent, or taken in by others: the log is kept from their mark on. */
  readonly #sending = new Set<Sending>();

  readonly #base: BaseStorage;
  readonly #rows: AppliedRows;
  readonly #self: MemberId;

  constructor(base: BaseStorage, rows: AppliedRows, self: MemberId) {
    this.#base = base;
    this.#rows = rows;
    this.#self = self;
  }

  get isSending(): boolean {
    return this.#sending.size > 0;
  }

  /** In rows, by who gets them. */
  get sending(): readonly Readonly<Sending>[] {
    return [...this.#sending];
  }

  /** As of the last checkpoint: what was applied since is in the log. */
  snapshot(to: MemberId): { mark: Mark; chunks: AsyncIterableIterator<Uint8Array> } {
    const view = this.#base.view();
    const row = view.get(PROGRESS_KEY);
    assert(row !== undefined, 'a member of a group has noted its progress');
    const sending = { to, done: 0, total: view.count };
    this.#sending.add(sending);
    return { mark: progressOf(row).mark, chunks: this.#chunks(view, sending) };
  }

  async receive(mark: Mark, chunks: AsyncIterable<Uint8Array>): Promise<ReceivedState> {
    const replacement = await this.#base.replacement();
    try {
      const digest = await addAll(replacement, chunks);
      const progress = { self: this.#self, mark, digest };
      await replacement.add([{ key: PROGRESS_KEY, value: encodeProgress(progress) }]);
      return {
        mark,
        install: () => this.#rows.install(replacement, progress),
        discard: () => replacement.discard(),
      };
    } catch (error) {
      await replacement.discard();
      throw error;
    }
  }

  /** Not a generator: one that was never begun can't be ended. */
  #chunks(view: StorageView, sending: Sending): AsyncIterableIterator<Uint8Array> {
    let from: Key = '';
    let isOpen = true;
    const end = () => {
      if (isOpen) view.close();
      isOpen = false;
    };
    const chunks: AsyncIterableIterator<Uint8Array> = {
      [Symbol.asyncIterator]: () => chunks,
      async next() {
        const rows = isOpen ? nextRows(view, from) : [];
        const last = rows.at(-1);
        if (last === undefined) {
          end();
          return { done: true, value: undefined };
        }
        from = `${last.key}\u0000`;
        sending.done += rows.length;
        return { done: false, value: encodeChanges(new Map(rows.map(({ key, value }) => [key, value]))) };
      },
      return: async () => {
        end();
        this.#sending.delete(sending);
        return { done: true, value: undefined };
      },
    };
    return chunks;
  }
}

function nextRows(view: StorageView, from: Key): Row[] {
  const rows = view.scan(from, BEHIND_ALL_KEYS, CHUNK_ROWS);
  let bytes = 0;
  const end = rows.findIndex(({ value }) => {
    bytes += value.length;
    return bytes > CHUNK_BYTES;
  });
  return end < 0 ? rows : rows.slice(0, end + 1);
}

/** @returns the digest of the sender, whose progress is one of the rows */
async function addAll(replacement: Replacement, chunks: AsyncIterable<Uint8Array>): Promise<bigint> {
  let digest: bigint | undefined;
  for await (const chunk of chunks) {
    const rows: Row[] = [];
    for (const [key, value] of decodeChanges(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))) {
      if (value === null) throw new Error('a state has no removals');
      if (key === PROGRESS_KEY) digest = progressOf(value).digest;
      else rows.push({ key, value });
    }
    await replacement.add(rows);
  }
  if (digest === undefined) throw new Error('a state without an end');
  return digest;
}

function progressOf(row: Uint8Array): Progress {
  const progress = decodeProgress(row);
  assert('mark' in progress, 'states are of members of a group');
  return progress;
}
