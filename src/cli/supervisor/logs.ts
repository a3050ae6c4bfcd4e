// One log file per process, JSON lines, kept from growing for ever; warnings
// and errors are shown besides, where somebody is looking.
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** A log of this size becomes NAME.log.1, which replaces the one before: two of them per process at most. */
const ROTATE_BYTES = 16 * 1024 * 1024;

const LEVELS = { debug: 20, info: 30, warn: 40, error: 50 } as const;

export type Level = keyof typeof LEVELS;

/** Gets the lines that a person should see: warnings and errors. */
export type Show = (name: string, line: Record<string, unknown>) => void;

interface OpenLog {
  descriptor: number;
  sizeBytes: number;
}

export class Logs {
  readonly #open = new Map<string, OpenLog>();
  readonly #threshold: number;
  /** Lines of each log that its disk did not take. */
  readonly #lost = new Map<string, number>();

  constructor(
    private readonly directory: string,
    level: Level,
    private readonly show: Show,
  ) {
    mkdirSync(directory, { recursive: true });
    this.#threshold = LEVELS[level];
  }

  /** Takes the lines of a process. A line that is no JSON (a crash's last words) is wrapped into some. */
  follow(name: string, stream: Readable): void {
    createInterface({ input: stream }).on('line', (text) => {
      const line = parseLine(text);
      if (line === undefined) {
        this.write(name, 'warn', 'process.output', { text });
      } else {
        this.#take(name, text, line);
      }
    });
  }

  /** Writes an event of the supervisor itself, or about a process. */
  write(name: string, level: Level, event: string, fields: Record<string, unknown>): void {
    if (LEVELS[level] >= this.#threshold) {
      const line = { level, time: new Date().toISOString(), name, pid: process.pid, event, ...fields };
      this.#take(name, JSON.stringify(line), line);
    }
  }

  close(): void {
    for (const { descriptor } of this.#open.values()) {
      closeSync(descriptor);
    }
    this.#open.clear();
  }

  #take(name: string, text: string, line: Record<string, unknown>): void {
    this.#keep(name, `${text}\n`);
    // The supervisor's own line on the crash that follows has the reason too.
    if (isWarning(line) && line.event !== 'server.failed') {
      this.show(name, line);
    }
  }

  /** A disk that is full or fails costs lines and no server; how many it were is the first that it takes again. */
  #keep(name: string, text: string): void {
    const lost = this.#lost.get(name) ?? 0;
    try {
      this.#append(name, lost === 0 ? text : `${lostLine(name, lost)}${text}`);
      this.#lost.delete(name);
    } catch (error) {
      this.#lost.set(name, lost + 1);
      if (lost === 0) {
        this.show(name, { level: 'error', event: 'log.lines_lost', name, reason: String(error) });
      }
    }
  }

  /** Blocks: lines are few and short, and none is lost when the supervisor ends. */
  #append(name: string, text: string): void {
    const path = join(this.directory, `${name}.log`);
    let log = this.#open.get(name);
    if (log !== undefined && log.sizeBytes >= ROTATE_BYTES) {
      closeSync(log.descriptor);
      renameSync(path, `${path}.1`);
      log = undefined;
    }
    if (log === undefined) {
      const descriptor = openSync(path, 'a', 0o640);
      log = { descriptor, sizeBytes: fstatSync(descriptor).size };
      this.#open.set(name, log);
    }
    log.sizeBytes += writeSync(log.descriptor, text);
  }
}

function lostLine(name: string, lines: number): string {
  const time = new Date().toISOString();
  return `${JSON.stringify({ level: 'error', time, name, pid: process.pid, event: 'log.lines_lost', lines })}\n`;
}

function parseLine(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith('{')) {
    return undefined;
  }
  try {
    const line: unknown = JSON.parse(text);
    return typeof line === 'object' && line !== null ? { ...line } : undefined;
  } catch {
    return undefined;
  }
}

function isWarning({ level }: Record<string, unknown>): boolean {
  return level === 'warn' || level === 'error' || level === 'fatal';
}
