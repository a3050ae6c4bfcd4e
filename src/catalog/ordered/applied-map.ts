// The map as a member of a group sees it: entries that are applied, and whole states that are sent and taken in.
import type { Entry, Mark } from '../../replication/core/core.js';
import type { ReceivedState, StateMachine, States } from '../../replication/member/state-machine.js';
import { assert } from '../../runtime/assert.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import { CatalogMap } from '../map/catalog-map.js';
import { decodeLogged } from '../map/encoding.js';
import type { Keeper } from './keeper.js';
import { decodeParts, encodeState } from './state-parts.js';

export class AppliedMap implements StateMachine, States {
  map: CatalogMap;
  /** Bytes of entries that the kept state lacks. */
  freshBytes = 0;
  /** Of the kept state, about; 0 until it is kept by this process. */
  keptBytes = 0;
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
    const map = new CatalogMap();
    if (kept !== undefined) for await (const part of kept.parts) map.add(part);
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
      this.keptBytes = await this.#keeper.keepState({ mark, parts: this.map.parts() });
      this.#kept = mark.index;
    });
  }

  /** A chunk is a part: neither side has more than one of them in its hands. */
  snapshot(): { mark: Mark; chunks: AsyncIterableIterator<Uint8Array> } {
    const mark = this.#applied;
    return { mark, chunks: oneByOne(encodeState({ mark, parts: this.map.parts() })) };
  }

  async receive(mark: Mark, chunks: AsyncIterable<Uint8Array>): Promise<ReceivedState> {
    const map = new CatalogMap();
    for await (const part of decodeParts(withoutFirst(chunks))) map.add(part);
    return {
      mark,
      install: () =>
        this.#queue.run(async () => {
          this.keptBytes = await this.#keeper.keepState({ mark, parts: map.parts() });
          this.map = map;
          this.#applied = mark;
          this.#kept = mark.index;
          this.freshBytes = 0;
        }),
      discard: async () => {},
    };
  }
}

async function* oneByOne<T>(list: Iterable<T>): AsyncGenerator<T> {
  yield* list;
}

/** The first one says what the mark is, which the receiver has been told. */
async function* withoutFirst<T>(list: AsyncIterable<T>): AsyncGenerator<T> {
  let isFirst = true;
  for await (const element of list) {
    if (!isFirst) yield element;
    isFirst = false;
  }
}
