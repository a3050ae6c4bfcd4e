// Checks one file: is there an order of the requests, each at some moment
// between its start and its answer, that explains every answer? Follows all
// orders that are still possible, as far as the answers seen so far need it.
import { FileState, type ModelWrite, recognise } from './file-state.js';

/** A way in which everything up to now can have happened. */
interface Possibility {
  /** What is durable for sure: the state after the last acknowledged write. */
  durable: FileState;
  /** What has taken effect since, in order: writes without an acknowledgement, which a crash of the metaserver may undo. */
  tail: readonly { request: number; state: FileState }[];
  state: FileState;
  /** Writes without a definite answer that have taken effect, with the size that each left. */
  taken: ReadonlyMap<number, number>;
}

/** More are the sign of too many writes with an open outcome on one file. */
const MAXIMUM_POSSIBILITIES = 5000;

/** What a file must never show. */
export class Contradiction extends Error {
  override readonly name = 'Contradiction';
}

export class FileHistory {
  #possibilities: Possibility[] = [{ durable: FileState.empty, tail: [], state: FileState.empty, taken: new Map() }];
  /** Writes that were sent and not answered, and those whose outcome nobody knows. */
  readonly #open = new Map<number, ModelWrite>();
  /** Every state that the file may have been in since a look at it began, for each look that is not answered. */
  readonly #looks = new Map<number, { states: Map<string, FileState>; turns: number }>();
  /** How often something was decided: a write answered or settled, a look that told something, or a crash. */
  #turns = 0;
  readonly #sources = new Set<number>();

  constructor(readonly inode: number) {}

  get openWrites(): number {
    return this.#open.size;
  }

  /** One state that the file may be in now. */
  get likelyState(): FileState {
    return this.#possibilities[0]?.state ?? FileState.empty;
  }

  writeStarts(request: number, write: ModelWrite): void {
    this.#open.set(request, write);
    for (const { source } of write.extents) this.#sources.add(source);
    this.#watch();
  }

  /** The write was acknowledged; `sizeBytes` is the file's size as the answer says. */
  writeSucceeds(request: number, sizeBytes: number): void {
    const ways = this.#reachable().filter(({ taken }) => taken.has(request));
    // The size may be that of a moment after the write, when others had followed.
    const fitting = ways.filter(
      ({ state, taken }) => taken.get(request) === sizeBytes || state.sizeBytes === sizeBytes,
    );
    const acknowledged = fitting.map((way) => ({ ...way, ...durableFrom(way, request) }));
    this.#close(request, acknowledged, () => `the write was acknowledged with a size of ${sizeBytes} bytes`);
  }

  /** The write was refused: it must not have happened. */
  writeFails(request: number): void {
    const ways = this.#possibilities.filter(({ taken }) => !taken.has(request));
    this.#close(request, ways, () => 'the write was refused, and yet it has happened');
  }

  /** Nobody knows whether the write has happened, but if it has not by now, it never will. */
  writeSettles(request: number): void {
    const untaken = this.#possibilities.filter(({ taken }) => !taken.has(request));
    const taken = this.#reachable().filter((way) => way.taken.has(request));
    this.#close(request, [...untaken, ...taken], () => 'a write of unknown outcome');
  }

  /** The metaserver crashed: what was seen but never acknowledged may be undone, or done again by whoever repeats it. */
  metaserverCrashed(): void {
    const ways = this.#reachable().flatMap(({ durable, tail, taken }) =>
      [durable, ...tail.map(({ state }) => state)].map((state, kept): Possibility => {
        const lost = new Set(tail.slice(kept).map(({ request }) => request));
        const rest = [...taken].filter(([request]) => !lost.has(request));
        return { durable, tail: tail.slice(0, kept), state, taken: new Map(rest) };
      }),
    );
    this.#turns++;
    this.#continue(distinct(ways), () => 'a crash');
  }

  /** A read, or a look at the size, was sent. */
  lookStarts(request: number): void {
    const states = this.#reachable().map(({ state }): [string, FileState] => [state.key, state]);
    this.#looks.set(request, { states: new Map(states), turns: this.#turns });
  }

  /** The look was refused, or nobody knows. */
  lookFails(request: number): void {
    this.#looks.delete(request);
  }

  /** A read from `offset` of `length` bytes was answered with `data`. */
  readSucceeds(request: number, offset: number, length: number, data: Uint8Array): void {
    const seen = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const fits = ({ content }: FileState) => content.subarray(offset, offset + length).equals(seen);
    this.#saw(request, fits, () => `a read of ${length} bytes answered ${recognise(data, offset, this.#sources)}`);
  }

  /** The file's size was seen. */
  sizeSeen(request: number, sizeBytes: number): void {
    this.#saw(
      request,
      (state) => state.sizeBytes === sizeBytes,
      () => `its size was given as ${sizeBytes} bytes`,
    );
  }

  #saw(request: number, fits: (state: FileState) => boolean, describe: () => string): void {
    const look = this.#looks.get(request);
    this.#looks.delete(request);
    // When something was decided since it began, it may have been before that, and says nothing of the present.
    if (look !== undefined && look.turns < this.#turns && [...look.states.values()].some(fits)) return;
    this.#turns++;
    this.#continue(
      this.#reachable().filter(({ state }) => fits(state)),
      describe,
    );
  }

  /** Adds what may be the case now to what the open looks may see. */
  #watch(): void {
    if (this.#looks.size === 0) return;
    const now = this.#reachable();
    for (const { states } of this.#looks.values()) for (const { state } of now) states.set(state.key, state);
  }

  #take(way: Possibility, request: number): Possibility[] {
    const write = this.#open.get(request);
    if (write === undefined) return [];
    const state = way.state.after(write);
    const taken = new Map(way.taken).set(request, state.sizeBytes);
    return [{ durable: way.durable, tail: [...way.tail, { request, state }], state, taken }];
  }

  /** All possibilities after any of the open writes in any order, none of them included. */
  #reachable(): Possibility[] {
    const found = new Map<string, Possibility>();
    const waiting = [...this.#possibilities];
    for (let way = waiting.pop(); way !== undefined; way = waiting.pop()) {
      const key = keyOf(way);
      if (found.has(key)) continue;
      found.set(key, way);
      if (found.size > MAXIMUM_POSSIBILITIES) throw new Error(`too many possibilities for inode ${this.inode}`);
      for (const request of this.#open.keys()) if (!way.taken.has(request)) waiting.push(...this.#take(way, request));
    }
    return [...found.values()];
  }

  /** The request is answered: from here on it is part of the state, or of nothing. */
  #close(request: number, ways: readonly Possibility[], describe: () => string): void {
    this.#turns++;
    this.#continue(ways, describe);
    this.#open.delete(request);
    this.#possibilities = distinct(
      this.#possibilities.map((way) => {
        const taken = new Map(way.taken);
        taken.delete(request);
        return { ...way, taken };
      }),
    );
  }

  #continue(ways: readonly Possibility[], describe: () => string): void {
    if (ways.length === 0) {
      const states = [...new Set(this.#possibilities.map(({ state }) => state.describe()))].slice(0, 6);
      const open = [...this.#open.keys()].map((request) => `request ${request}`).join(', ') || 'none';
      throw new Contradiction(
        `inode ${this.inode}: ${describe()}. Possible were: ${states.join(' | ')}; writes without an answer: ${open}`,
      );
    }
    this.#possibilities = [...ways];
    this.#watch();
  }
}

/** The write is durable, and so is what took effect before it. */
function durableFrom({ durable, tail }: Possibility, request: number): Pick<Possibility, 'durable' | 'tail'> {
  const position = tail.findIndex((step) => step.request === request);
  return { durable: tail[position]?.state ?? durable, tail: tail.slice(position + 1) };
}

function distinct(ways: readonly Possibility[]): Possibility[] {
  return [...new Map(ways.map((way) => [keyOf(way), way])).values()];
}

function keyOf({ durable, tail, state, taken }: Possibility): string {
  const entries = [...taken].sort(([one], [other]) => one - other);
  const steps = tail.map((step) => `${step.request}=${step.state.key}`);
  return [state.key, durable.key, ...steps, ...entries.map(([request, size]) => `${request}:${size}`)].join('/');
}
