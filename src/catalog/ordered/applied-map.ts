// The map as a member of a group sees it: entries that are applied, and whole states that are sent and taken in.
import type { Entry, Mark } from '../../replication/core/core.js';
import type { ReceivedState, StateMachine, States } from '../../replication/member/state-machine.js';
import { assert } from '../../runtime/assert.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import { CatalogMap } from '../map/catalog-map.js';
import { decodeLogged } from '../map/encoding.js';
import { decodeState, encodeState, type Keeper } from './keeper.js';

const CHUNK_BYTES = 512 * 1024;

export class AppliedMap implements StateMachine, States {
  map: CatalogMap;
  /** Bytes of entries that the kept state lacks. */
  freshBytes = 0;
  #applied: Mark;
  /** The kept state has everything up to there. */
  #kept: number;
  /** What writes the state. */
  readonly #queue = new SerialQueue();
  readonly #keeper: Keeper;

  private constructor(map: CatalogMap, applied: Mark, kept: number, keeper: Keeper) {
    this.map = map;
    this.#applied = applied;
    this.#kept = kept;
    this.#keeper = keeper;
  }

  /** As it was kept last. @param first of a member that has kept none */
  static async open(first: Mark, keeper: Keeper): Promise<AppliedMap> {
    const kept = await keeper.state();
    const map = kept === undefined ? new CatalogMap() : CatalogMap.from(kept.content);
    const mark = kept?.mark ?? first;
    return new AppliedMap(map, mark, mark.index, keeper);
  }

  get applied(): Mark {
    return this.#applied;
  }

  get kept(): number {
    return this.#kept;
  }

  apply(entries: readonly Entry[]): void {
    for (const { index, term, content } of entries) {
      assert(index === this.#applied.index + 1, 'entries are applied in order, each once');
      const members = content.kind === 'members' ? content.members : this.#applied.members;
      if (content.kind === 'data') {
        assert(content.data instanceof Uint8Array, 'what is logged is bytes');
        this.map.apply(decodeLogged(content.data));
        this.freshBytes += content.bytes;
      }
      this.#applied = { index, term, members };
    }
  }

  /** Resolves when everything that was applied before the call is kept. */
  keep(): Promise<void> {
    return this.#queue.run(async () => {
      const mark = this.#applied;
      if (mark.index === this.#kept) return;
      this.freshBytes = 0;
      await this.#keeper.keepState({ mark, content: this.map.content() });
      this.#kept = mark.index;
    });
  }

  snapshot(): { mark: Mark; chunks: AsyncIterableIterator<Uint8Array> } {
    const mark = this.#applied;
    return { mark, chunks: chunksOf(encodeState({ mark, content: this.map.content() })) };
  }

  async receive(mark: Mark, chunks: AsyncIterable<Uint8Array>): Promise<ReceivedState> {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(Uint8Array.from(chunk));
    const { content } = decodeState(joined(parts));
    const map = CatalogMap.from(content);
    return {
      mark,
      install: () =>
        this.#queue.run(async () => {
          await this.#keeper.keepState({ mark, content });
          this.map = map;
          this.#applied = mark;
          this.#kept = mark.index;
          this.freshBytes = 0;
        }),
      discard: async () => {},
    };
  }
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) yield bytes.subarray(start, start + CHUNK_BYTES);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
