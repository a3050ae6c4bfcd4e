// The logs that are kept on this machine, as one stream of events, newest first.
// Reads from the ends of the files: they may be large, and what is asked for is new.
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { EventLogs } from '../mediator/page/mediator-page.js';
import type { EventsAnswer, EventsQuestion, LoggedEvent } from '../protocol/page/messages.js';
import { hasCode } from '../runtime/caught-errors.js';

/** A log, and the one before it (rotating-file.ts). */
const LOG_NAME = /^(.+)\.log(\.1)?$/;
const CHUNK_BYTES = 256 * 1024;
/** One question reads little more: with a filter that fits nothing it would read all, and hold up the mediator. */
const MOST_BYTES = 8 * 1024 * 1024;
const LEVELS: readonly string[] = ['debug', 'info', 'warn', 'error', 'fatal'] satisfies LoggedEvent['level'][];
const LONGEST_LINE_BYTES = 64 * 1024;

export class LogFolder implements EventLogs {
  readonly #folder: string;
  readonly #servers: readonly string[];

  /** @param servers the names of all that log, wherever they are */
  constructor(folder: string, servers: readonly string[]) {
    this.#folder = folder;
    this.#servers = servers;
  }

  async find(question: EventsQuestion): Promise<EventsAnswer> {
    const names = (await filesOf(this.#folder)).filter((name) => LOG_NAME.test(name));
    const isHere = (server: string) => names.some((name) => LOG_NAME.exec(name)?.[1] === server);
    const here = this.#servers.filter(isHere);
    const elsewhere = this.#servers.filter((server) => !isHere(server));
    const logs: LogFile[] = [];
    const oldest: number[] = [];
    try {
      for (const name of names) {
        const log = await LogFile.open(join(this.#folder, name), LOG_NAME.exec(name)?.[1] ?? '');
        if (log === undefined) continue;
        logs.push(log);
        const first = await log.firstMs();
        if (first !== null) oldest.push(first);
      }
      const events = await newest(logs, question);
      return { ...events, oldestMs: oldest.length === 0 ? null : Math.min(...oldest), here, elsewhere };
    } finally {
      await Promise.all(logs.map((log) => log.close()));
    }
  }
}

/** Takes from whichever file has the newest line, until there are enough and the last one's millisecond is whole. */
async function newest(
  logs: readonly LogFile[],
  question: EventsQuestion,
): Promise<Pick<EventsAnswer, 'events' | 'hasOlder' | 'searchedMs'>> {
  const { limit, since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY } = question;
  const events: LoggedEvent[] = [];
  let searchedMs: number | null = null;
  for (const log of logs) await log.startAt(until);
  // What it takes to begin does not count: each question gets further than the one before.
  await latestOf(logs);
  const bytesRead = (): number => logs.reduce((sum, log) => sum + log.bytesRead, 0);
  const mostBytes = bytesRead() + MOST_BYTES;
  for (;;) {
    const latest = await latestOf(logs);
    const head = latest?.head;
    if (latest === null || head === undefined || head.timeMs < since) return { events, hasOlder: false, searchedMs };
    const isNewMoment = searchedMs === null || head.timeMs < searchedMs;
    if (isNewMoment && (events.length >= limit || bytesRead() > mostBytes))
      return { events, hasOlder: true, searchedMs };
    // Lines of one log may be out of order by a moment.
    searchedMs = Math.min(head.timeMs, searchedMs ?? head.timeMs);
    latest.take();
    if (fits(head, question)) events.push(head);
  }
}

/** The file whose newest line that was not taken is the newest of all; null when all are at their beginnings. */
async function latestOf(logs: readonly LogFile[]): Promise<LogFile | null> {
  let latest: LogFile | null = null;
  for (const log of logs) {
    if (log.isToRead) await log.readBack();
    if (log.head !== undefined && log.head.timeMs > (latest?.head?.timeMs ?? Number.NEGATIVE_INFINITY)) latest = log;
  }
  return latest;
}

function fits(event: LoggedEvent, { until, server, kind, inode, isTrouble }: EventsQuestion): boolean {
  if (until !== undefined && event.timeMs > until) return false;
  if (server !== undefined && event.server !== server && event.fields.server !== server) return false;
  if (kind !== undefined && !event.event.startsWith(`${kind}.`)) return false;
  if (inode !== undefined && event.fields.inode !== inode) return false;
  return isTrouble !== true || event.level === 'warn' || event.level === 'error' || event.level === 'fatal';
}

/** One file, read from its end towards its beginning. */
class LogFile {
  bytesRead = 0;
  /** What lies before this is still to be read. */
  #position = 0;
  /** The beginning of what has been read and not been taken apart: the end of a line whose beginning is not there yet. */
  #rest: Buffer = Buffer.alloc(0);
  /** Oldest first. */
  #lines: LoggedEvent[] = [];

  readonly #file: FileHandle;
  readonly #server: string;
  readonly #identity: string;

  private constructor(file: FileHandle, server: string, identity: string, sizeBytes: number) {
    this.#file = file;
    this.#server = server;
    this.#identity = identity;
    this.#position = sizeBytes;
  }

  /** undefined when it is gone: logs are renamed when they are full. */
  static async open(path: string, server: string): Promise<LogFile | undefined> {
    try {
      const file = await open(path, 'r');
      const { ino, size } = await file.stat();
      return new LogFile(file, server, String(ino), size);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** The time of the first line; null when there is none that has one. */
  async firstMs(): Promise<number | null> {
    const bytes = await this.#read(0, Math.min(4096, this.#position));
    const end = bytes.indexOf('\n');
    return end < 0 ? null : (this.#parse(bytes.subarray(0, end), 0)?.timeMs ?? null);
  }

  /** Skips, by halving, most of what is later: lines stand in the order of their times. */
  async startAt(untilMs: number): Promise<void> {
    if (untilMs === Number.POSITIVE_INFINITY) return;
    let low = 0;
    let high = this.#position;
    while (high - low > CHUNK_BYTES) {
      const middle = Math.floor((low + high) / 2);
      const timeMs = await this.#timeBehind(middle);
      if (timeMs !== null && timeMs <= untilMs) low = middle;
      else high = middle;
    }
    // A line that begins before it may reach beyond: whole lines are read from a bit further on.
    this.#position = Math.min(this.#position, high + LONGEST_LINE_BYTES);
    const tail = await this.#read(Math.max(0, this.#position - LONGEST_LINE_BYTES), LONGEST_LINE_BYTES);
    const lastEnd = tail.lastIndexOf('\n');
    if (lastEnd >= 0) this.#position = Math.max(0, this.#position - tail.length) + lastEnd + 1;
  }

  async #timeBehind(offset: number): Promise<number | null> {
    const bytes = await this.#read(offset, LONGEST_LINE_BYTES);
    const start = bytes.indexOf('\n') + 1;
    const end = bytes.indexOf('\n', start);
    return start === 0 || end < 0 ? null : (this.#parse(bytes.subarray(start, end), 0)?.timeMs ?? null);
  }

  /** The newest line that was not taken, of what was read. */
  get head(): LoggedEvent | undefined {
    return this.#lines.at(-1);
  }

  /** Whether it has no such line, and there may be one further back. */
  get isToRead(): boolean {
    return this.#lines.length === 0 && this.#position > 0;
  }

  /** Reads on until there is such a line, or the file's beginning. */
  async readBack(): Promise<void> {
    while (this.isToRead) await this.#readBack();
  }

  take(): void {
    this.#lines.pop();
  }

  async #readBack(): Promise<void> {
    const from = Math.max(0, this.#position - CHUNK_BYTES);
    const bytes = Buffer.concat([await this.#read(from, this.#position - from), this.#rest]);
    this.#position = from;
    // Unless the file begins here, the first line is only the end of one.
    let start = from === 0 ? 0 : bytes.indexOf('\n') + 1;
    if (start === 0 && from > 0) {
      this.#rest = bytes.length > LONGEST_LINE_BYTES ? Buffer.alloc(0) : bytes;
      return;
    }
    this.#rest = Buffer.from(bytes.subarray(0, start));
    for (let end = bytes.indexOf('\n', start); end >= 0; end = bytes.indexOf('\n', start)) {
      const event = this.#parse(bytes.subarray(start, end), from + start);
      if (event !== undefined) this.#lines.push(event);
      start = end + 1;
    }
  }

  async #read(from: number, length: number): Promise<Buffer> {
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await this.#file.read(buffer, 0, length, from);
    this.bytesRead += bytesRead;
    return buffer.subarray(0, bytesRead);
  }

  /** undefined for what is no event. */
  #parse(bytes: Uint8Array, offset: number): LoggedEvent | undefined {
    let line: Record<string, unknown>;
    try {
      line = JSON.parse(Buffer.from(bytes).toString('utf8'));
    } catch {
      // A line that a full disk has cut off.
      return undefined;
    }
    const { time, level, event, name, pid: _pid, hostname: _hostname, ...fields } = line;
    const timeMs = typeof time === 'string' ? Date.parse(time) : Number.NaN;
    if (Number.isNaN(timeMs) || typeof event !== 'string' || !isLevel(level)) return undefined;
    const server = typeof name === 'string' && name !== '' ? name : this.#server;
    return { id: `${this.#identity}-${offset}`, timeMs, server, level, event, fields };
  }
}

function isLevel(level: unknown): level is LoggedEvent['level'] {
  return typeof level === 'string' && LEVELS.includes(level);
}

async function filesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    // Servers that nobody supervises here log elsewhere.
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
