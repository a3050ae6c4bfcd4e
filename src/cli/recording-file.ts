// The file that a recording goes to, compressed where its name ends in .gz.
import { createWriteStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

/** Lines are gathered up to this. */
const BATCH_CHARACTERS = 64 * 1024;
/** A server that is killed has not recorded the last of this. */
const BATCH_MS = 200;

export class RecordingFile {
  #text = '';
  #timer: NodeJS.Timeout | undefined;
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
    if (this.#text.length >= BATCH_CHARACTERS) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), BATCH_MS).unref();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#to.write(this.#text);
    this.#text = '';
  }

  /** Rejects when the file could not be written. */
  async close(): Promise<void> {
    this.#flush();
    this.#to.end();
    await this.#written;
  }
}
