// One log file per process, JSON lines, kept from growing for ever; warnings
// and errors are shown besides, where somebody is looking.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { RotatingFile } from '../rotating-file.js';

const LEVELS = { debug: 20, info: 30, warn: 40, error: 50 } as const;

export type Level = keyof typeof LEVELS;

/** Gets the lines that a person should see: warnings and errors. */
export type Show = (name: string, line: Record<string, unknown>) => void;

export class Logs {
  readonly #open = new Map<string, RotatingFile>();
  readonly #threshold: number;

  readonly #directory: string;
  readonly #show: Show;

  constructor(directory: string, level: Level, show: Show) {
    this.#directory = directory;
    this.#show = show;
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
    for (const log of this.#open.values()) {
      log.close();
    }
  }

  #take(name: string, text: string, line: Record<string, unknown>): void {
    this.#append(name, `${text}\n`);
    // The supervisor's own line on the crash that follows has the reason too.
    if (isWarning(line) && line.event !== 'server.failed') {
      this.#show(name, line);
    }
  }

  #append(name: string, text: string): void {
    let log = this.#open.get(name);
    if (log === undefined) {
      log = new RotatingFile(join(this.#directory, `${name}.log`), (reason) =>
        this.#show(name, { level: 'error', event: 'log.lines_lost', name, reason }),
      );
      this.#open.set(name, log);
    }
    log.write(text);
  }
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
