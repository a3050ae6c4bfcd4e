// A log file that does not grow for ever, and that ends no process: what can't
// be written is counted, and said in the log when it can be written again.
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { messageOf } from '../runtime/caught-errors.js';

/** A log of this size becomes FILE.1, which replaces the one before: two of them at most. */
const ROTATE_BYTES = 16 * 1024 * 1024;
const MODE = 0o640;

interface OpenFile {
  descriptor: number;
  sizeBytes: number;
}

export class RotatingFile {
  #open: OpenFile | undefined;
  #lostLines = 0;
  #lostBecause = '';

  readonly #path: string;
  readonly #lost: (reason: string) => void;

  /** @param lost is called when lines begin to be lost */
  constructor(path: string, lost: (reason: string) => void = () => {}) {
    this.#path = path;
    this.#lost = lost;
  }

  /** Takes one line, with its end. Blocks: lines are few and short, and none is lost when the process ends. */
  write(line: string): void {
    try {
      if (this.#lostLines > 0) {
        this.#append(this.#lossLine());
        this.#lostLines = 0;
      }
      this.#append(line);
    } catch (error) {
      // A full disk, say. There is no other place to tell of it, and a process that ends for it would be worse.
      this.#lostLines += 1;
      this.#lostBecause = messageOf(error);
      if (this.#lostLines === 1) this.#lost(this.#lostBecause);
    }
  }

  close(): void {
    if (this.#open !== undefined) {
      closeSync(this.#open.descriptor);
      this.#open = undefined;
    }
  }

  #append(text: string): void {
    if (this.#open !== undefined && this.#open.sizeBytes >= ROTATE_BYTES) {
      this.close();
      renameSync(this.#path, `${this.#path}.1`);
    }
    if (this.#open === undefined) {
      const descriptor = openSync(this.#path, 'a', MODE);
      this.#open = { descriptor, sizeBytes: fstatSync(descriptor).size };
    }
    this.#open.sizeBytes += writeSync(this.#open.descriptor, text);
  }

  #lossLine(): string {
    const fields = { level: 'error', time: new Date().toISOString(), event: 'log.lines_lost' };
    return `${JSON.stringify({ ...fields, lines: this.#lostLines, reason: this.#lostBecause })}\n`;
  }
}
