// The file that a recording goes to, compressed where its name ends in .gz.
import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

/** Lines are gathered up to this. */
const BATCH_CHARACTERS = 64 * 1024;

export class RecordingFile {
  #text = '';
  readonly #to: Writable;
  readonly #written: Promise<void>;

  constructor(path: string) {
    const file = createWriteStream(path);
    const gzip = path.endsWith('.gz') ? createGzip({ level: 9 }) : null;
    gzip?.pipe(file);
    this.#to = gzip ?? file;
    this.#written = finished(file);
    // Whoever closes it is told.
    this.#written.catch(() => {});
  }

  write(text: string): void {
    this.#text += text;
    if (this.#text.length < BATCH_CHARACTERS) return;
    this.#to.write(this.#text);
    this.#text = '';
  }

  /** Rejects when the file could not be written. */
  async close(): Promise<void> {
    this.#to.end(this.#text);
    await this.#written;
  }
}
