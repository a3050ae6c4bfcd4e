// A log file that does not grow for ever, and that ends no process: what can't
// be written is counted, and said in the log when it can be written again.
import { Buffer } from 'node:buffer';
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { messageOf } from '../runtime/caught-errors.js';

/** A log of this size becomes FILE.1, which replaces the one before: two of them at most. */
const ROTATE_BYTES = 16 * 1024 * 1024;
const MODE = 0o640;

interface OpenFile {
  descriptor: number;
  sizeBytes: number;
  /** The size from which on it is rotated. */
  rotateAtBytes: number;
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
    const open = this.#opened();
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) {
      const written = writeSync(open.descriptor, bytes, at);
      at += written;
      open.sizeBytes += written;
    }
    if (open.sizeBytes >= open.rotateAtBytes) this.#rotate(open);
  }

  #opened(): OpenFile {
    if (this.#open === undefined) {
      const descriptor = openSync(this.#path, 'a', MODE);
      this.#open = { descriptor, sizeBytes: fstatSync(descriptor).size, rotateAtBytes: ROTATE_BYTES };
    }
    return this.#open;
  }

  /** A file that can't be renamed grows on, and is tried again when it has grown as much once more. */
  #rotate(open: OpenFile): void {
    try {
      renameSync(this.#path, `${this.#path}.1`);
      this.close();
    } catch (error) {
      open.rotateAtBytes = open.sizeBytes + ROTATE_BYTES;
      this.#append(`${JSON.stringify({ ...this.#ownFields('log.not_rotated'), reason: messageOf(error) })}\n`);
    }
  }

  #lossLine(): string {
    const fields = { ...this.#ownFields('log.lines_lost'), lines: this.#lostLines, reason: this.#lostBecause };
    return `${JSON.stringify(fields)}\n`;
  }

  #ownFields(event: string): Record<string, string> {
    return { level: 'error', time: new Date().toISOString(), event };
  }
}
