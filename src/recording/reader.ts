// Reads a recording, piece by piece as it comes. Never throws for what a file may hold: says in one line what is wrong with it,
// and keeps what came before.
import { type EventKind, RECORDING_VERSION, type RecordedEvent, type RecordingHeader } from './format.js';

export interface Recording {
  header: RecordingHeader;
  /** By time. */
  events: RecordedEvent[];
  /** What is wrong with it although it can be shown; null when nothing is. */
  problem: string | null;
}

/** It can't be shown; the message is for the one who has opened it. */
export class RecordingError extends Error {
  override readonly name = 'RecordingError';
}

/** More would not fit into a browser's memory together with what is drawn from it. */
export const MAXIMUM_EVENTS = 2_000_000;
export const MAXIMUM_BYTES = 256 * 1024 * 1024;
/** No line has more; one that goes on is no recording. */
const MAXIMUM_LINE_CHARACTERS = 1024 * 1024;

type Check = (value: unknown) => boolean;

const isTime: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const isText: Check = (value) => typeof value === 'string';
const isNumber: Check = (value) => typeof value === 'number';
const mayBe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

const KINDS: Record<EventKind, Record<string, Check>> = {
  message: {
    ...{ from: isText, to: isText, name: isText, content: mayBe(isText) },
    arrived: (value) => value == null || isTime(value),
  },
  state: { process: isText, state: isText },
  link: { from: isText, to: isText, state: isText },
  role: { process: isText, role: isText, term: isNumber },
  election: { process: isText, term: isNumber },
  term: { process: isText, term: isNumber },
  vote: { process: isText, block: isText, readQuorum: isNumber, witness: isText, ballots: isBallots },
  note: { process: mayBe(isText), level: isText, text: isText, event: mayBe(isText) },
};

export class RecordingReader {
  #header: RecordingHeader | null = null;
  readonly #events: RecordedEvent[] = [];
  #rest = '';
  #line = 0;
  #hasEnded = false;
  /** Nothing more is taken from the part that is being read. */
  #isSpoilt = false;
  /** Where the events of that part begin. */
  #beganWith = 0;
  #problem: string | null = null;

  /** Takes the next piece. Throws RecordingError for what is no recording that can be shown. */
  push(text: string): void {
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      this.#take(this.#rest + text.slice(start, end));
      this.#rest = '';
      start = end + 1;
    }
    this.#rest += text.slice(start);
    if (this.#rest.length > MAXIMUM_LINE_CHARACTERS) {
      if (this.#header === null) throw notOne();
      this.#spoil(`line ${this.#line + 1} does not end`);
      this.#rest = '';
    }
  }

  get events(): number {
    return this.#events.length;
  }

  /** What comes is from the next file. */
  nextFile(): void {
    if (this.#rest !== '') this.#take(this.#rest);
    this.#rest = '';
  }

  /** Throws RecordingError. */
  end(): Recording {
    if (this.#rest !== '') this.#take(this.#rest);
    if (this.#header === null) throw notOne();
    if (!this.#hasEnded) this.#spoil('it is cut off: the line that ends it is missing');
    return { header: this.#header, events: byTime(this.#events), problem: this.#problem };
  }

  #take(line: string): void {
    this.#line++;
    if (line === '') return;
    const mayBegin = line.startsWith('{"nmrfs"');
    if (!mayBegin && (this.#isSpoilt || this.#hasEnded)) return;
    const value = parse(line);
    if (this.#header === null || mayBegin) {
      this.#beginOrSpoil(value);
      return;
    }
    const { kind } = (value ?? {}) as { kind?: unknown };
    if (kind === 'end') this.#finish(value as { events?: unknown });
    else if (!isEvent(value)) this.#spoil(`line ${this.#line} is damaged`);
    else if (this.#events.length >= MAXIMUM_EVENTS) this.#spoil(`it has more than ${MAXIMUM_EVENTS} events`);
    else this.#events.push(value);
  }

  /** What comes before a part that can't be shown is shown all the same. */
  #beginOrSpoil(value: unknown): void {
    try {
      this.#begin(readHeader(value));
    } catch (error) {
      if (this.#header === null || !(error instanceof RecordingError)) throw error;
      this.#spoil(`line ${this.#line} begins a part that can't be read`);
    }
  }

  /** Another recording may follow the first, as those of the servers of one group do: they are shown as one. */
  #begin(header: RecordingHeader): void {
    if (this.#header !== null && !this.#hasEnded) {
      this.#problem ??= 'A part of this recording has no end: its server was killed, or the file is cut off.';
    }
    const before = this.#header?.processes ?? [];
    const names = new Set(before.map(({ name }) => name));
    const processes = [...before, ...header.processes.filter(({ name }) => !names.has(name))];
    this.#header = { ...header, ...this.#header, processes };
    this.#hasEnded = false;
    this.#isSpoilt = false;
    this.#beganWith = this.#events.length;
  }

  #finish({ events }: { events?: unknown }): void {
    this.#hasEnded = true;
    const read = this.#events.length - this.#beganWith;
    if (events !== read) this.#problem ??= `The recording is damaged: it has ${read} of ${String(events)} events.`;
  }

  #spoil(what: string): void {
    this.#isSpoilt = true;
    this.#problem ??= `The recording is not whole: ${what}. What comes before is shown.`;
  }
}

function readHeader(value: unknown): RecordingHeader {
  if (typeof value !== 'object' || value === null) throw notOne();
  const { nmrfs, version, title, processes } = value as Partial<RecordingHeader>;
  if (nmrfs !== 'recording') throw notOne();
  if (version !== RECORDING_VERSION) {
    throw new RecordingError(
      `This recording is of version ${String(version)}, and this page reads version ${RECORDING_VERSION}: ` +
        'open it with the nmrfs that made it, or record it anew.',
    );
  }
  const areProcesses =
    Array.isArray(processes) && processes.every((each) => isText((each as { name?: unknown })?.name));
  if (!isText(title) || !areProcesses) throw new RecordingError('The first line of this recording is damaged.');
  return value as RecordingHeader;
}

function notOne(): RecordingError {
  return new RecordingError('This is no recording of nmrfs: its first line does not say so.');
}

function isEvent(value: unknown): value is RecordedEvent {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, t } = value as { kind?: unknown; t?: unknown };
  if (typeof kind !== 'string' || !Object.hasOwn(KINDS, kind) || !isTime(t)) return false;
  const fields = KINDS[kind as EventKind];
  return Object.entries(fields).every(([name, fits]) => fits((value as Record<string, unknown>)[name]));
}

function isBallots(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  return value.every((each: unknown) => {
    const { server, ballot } = (each ?? {}) as { server?: unknown; ballot?: { state?: unknown } | null };
    return isText(server) && isText(ballot?.state);
  });
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}

/** Lines of messages come when these arrive. Events of one moment stay in their order. */
function byTime(events: RecordedEvent[]): RecordedEvent[] {
  return events.sort((one, other) => one.t - other.t);
}
