// What a file may hold: its size and which write each byte came from. States
// never change; a write makes a new one.

/** Bytes from `from` up to, not including, `to` came from one extent of one write. */
interface Run {
  from: number;
  to: number;
  source: number;
}

/** An extent of a write: where, and which of all extents of the run it is. */
export interface SourcedExtent {
  offset: number;
  length: number;
  source: number;
}

/** A write as the model sees it. */
export interface ModelWrite {
  extents: readonly SourcedExtent[];
  truncateTo: number | null;
  /** Zeros over a range. */
  zeros?: { offset: number; length: number };
  /** The file is at least as long afterwards. */
  minimumSizeBytes?: number;
}

const TAPE_BYTES = 1 << 20;
const TAPE = makeTape();

/** Random bytes of which every source takes a stretch of its own. */
function makeTape(): Buffer {
  const tape = Buffer.alloc(TAPE_BYTES);
  let word = 0x1234_5678;
  for (let at = 0; at < TAPE_BYTES; at++) {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0;
    tape[at] = word >>> 24;
  }
  return tape;
}

/** The bytes that a source puts at offset … offset + length of a file: other sources put others there. */
export function bytesOf(source: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  fill(bytes, 0, source, offset, length);
  return bytes;
}

function fill(target: Buffer, at: number, source: number, offset: number, length: number): void {
  let done = 0;
  while (done < length) {
    const start = (offset + done + source * 40_503) % TAPE_BYTES;
    done += TAPE.copy(target, at + done, start, Math.min(TAPE_BYTES, start + length - done));
  }
}

export class FileState {
  static readonly empty = new FileState(0, []);
  /** Equal for equal states. */
  readonly key: string;
  #content: Buffer | null = null;

  readonly #runs: readonly Run[];

  private constructor(
    readonly sizeBytes: number,
    runs: readonly Run[],
  ) {
    this.#runs = runs;
    this.key = `${sizeBytes}:${runs.map(({ from, to, source }) => `${from}-${to}=${source}`).join(',')}`;
  }

  /** The whole content. */
  get content(): Buffer {
    if (this.#content === null) {
      this.#content = Buffer.alloc(this.sizeBytes);
      for (const { from, to, source } of this.#runs) fill(this.#content, from, source, from, to - from);
    }
    return this.#content;
  }

  /** Extents in order over what is left after the cut, as FileService.write says; zeros as FileService.fallocate. */
  after({ extents, truncateTo, zeros, minimumSizeBytes = 0 }: ModelWrite): FileState {
    let { sizeBytes } = this;
    let runs = this.#runs;
    if (truncateTo !== null) {
      runs = without(runs, truncateTo, Number.POSITIVE_INFINITY);
      sizeBytes = truncateTo;
    }
    for (const { offset, length, source } of extents) {
      if (length === 0) continue;
      runs = [...without(runs, offset, offset + length), { from: offset, to: offset + length, source }];
      sizeBytes = Math.max(sizeBytes, offset + length);
    }
    if (zeros !== undefined) runs = without(runs, zeros.offset, zeros.offset + zeros.length);
    return new FileState(
      Math.max(sizeBytes, minimumSizeBytes),
      [...runs].sort((a, b) => a.from - b.from),
    );
  }

  /** Which write each part of the content came from, for people. */
  describe(): string {
    const parts = this.#runs.map(({ from, to, source }) => `${from}-${to} by ${sourceName(source)}`);
    return `${this.sizeBytes} bytes (${parts.join(', ')})`;
  }
}

/** Sources are numbered by the request they belong to. */
export const EXTENTS_PER_REQUEST = 8;

function sourceName(source: number): string {
  return `request ${Math.floor(source / EXTENTS_PER_REQUEST)}`;
}

/** Says of each part of `data`, which was read at `offset`, which of these sources it came from. */
export function recognise(data: Uint8Array, offset: number, sources: Iterable<number>): string {
  const candidates = [...sources].map((source) => ({
    name: sourceName(source),
    bytes: bytesOf(source, offset, data.length),
  }));
  candidates.push({ name: 'zeros', bytes: Buffer.alloc(data.length) });
  const parts: { from: number; name: string }[] = [];
  for (let at = 0; at < data.length; ) {
    let best = { name: 'unknown', length: 1 };
    for (const { name, bytes } of candidates) {
      let length = 0;
      while (at + length < data.length && data[at + length] === bytes[at + length]) length++;
      // A few equal bytes may be chance, unless they are the last.
      if (length > best.length && (length >= 4 || at + length === data.length)) best = { name, length };
    }
    if (parts.at(-1)?.name !== best.name) parts.push({ from: offset + at, name: best.name });
    at += best.length;
  }
  return `${data.length} bytes at ${offset}: ${parts.map(({ from, name }) => `from ${from} ${name}`).join(', ')}`;
}

function without(runs: readonly Run[], from: number, to: number): Run[] {
  const kept: Run[] = [];
  for (const run of runs) {
    if (run.from < from) kept.push({ ...run, to: Math.min(run.to, from) });
    if (run.to > to) kept.push({ ...run, from: Math.max(run.from, to) });
  }
  return kept;
}
