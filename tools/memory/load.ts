// A mixed load on several mounts of one cluster: small files that come, are
// changed, renamed and go; large ones written and read; synchronous writes in
// the middle; listings and attributes. What it keeps stays the same size.
import { randomBytes } from 'node:crypto';
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';

const WORKERS = 4;
const SMALL_FILES = 500;
const SMALL_BYTES = [0, 100, 4_000, 20_000, 150_000];
const LARGE_FILES = 3;
const LARGE_BYTES = 24 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
const PAGE_BYTES = 4096;
/** A mount that does not hear of another's change believes what it knew for ten seconds. */
const SEEN_WITHIN_MS = 15_000;
const SEEN_POLL_MS = 5;
/** How often each kind of work is chosen. */
const WEIGHTS = { small: 60, metadata: 30, synchronous: 8, large: 2 };

export class Load {
  /** Until now. */
  operations = 0;
  /** How long it took at most until one mount had what another had made. */
  longestUnseenMs = 0;
  #running = false;
  #workers: Promise<unknown> = Promise.resolve();
  readonly #bytes = randomBytes(LARGE_BYTES);

  readonly #mounts: readonly string[];

  /** @param mounts folders that show the same files */
  constructor(mounts: readonly string[]) {
    this.#mounts = mounts;
  }

  start(): void {
    this.#running = true;
    this.#workers = Promise.all(Array.from({ length: WORKERS }, (_, worker) => this.#work(worker)));
    // Whoever pauses hears of it.
    this.#workers.catch(() => {
      this.#running = false;
    });
  }

  /** Resolves when nothing is under way. */
  async pause(): Promise<void> {
    this.#running = false;
    await this.#workers;
  }

  /** Removes what it has made. */
  async end(): Promise<void> {
    this.#running = false;
    await Promise.allSettled([this.#workers]);
    for (let worker = 0; worker < WORKERS; worker++) {
      await rm(this.#path(0, worker, ''), { recursive: true, force: true });
    }
  }

  async #work(worker: number): Promise<void> {
    await mkdir(this.#path(0, worker, ''), { recursive: true });
    while (this.#running) {
      const kind = choose();
      if (kind === 'small') await this.#small(worker);
      else if (kind === 'metadata') await this.#metadata(worker);
      else if (kind === 'synchronous') await this.#synchronous(worker);
      else await this.#large(worker);
    }
  }

  /** A file is written through one mount, read through another, renamed, and takes the place of an older one or goes. */
  async #small(worker: number): Promise<void> {
    const number = below(SMALL_FILES);
    const from = below(this.#mounts.length);
    // A name of its own: for a moment another kernel still believes what an earlier one stood for, and would write to that.
    const name = `new-${this.operations}-${number}`;
    const fresh = this.#path(from, worker, name);
    const size = SMALL_BYTES[below(SMALL_BYTES.length)] ?? 0;
    await writeFile(fresh, this.#bytes.subarray(0, size));
    const found = await this.#untilSeen(() => readFile(this.#path(from + 1, worker, name)));
    if (found.length !== size) throw new Error(`${fresh}: ${found.length} bytes of ${size}`);
    await rename(fresh, this.#path(from, worker, `small-${number}`));
    if (below(3) === 0) await this.#untilSeen(() => unlink(this.#path(from + 1, worker, `small-${number}`)));
    this.operations += 4;
  }

  async #metadata(worker: number): Promise<void> {
    const mount = below(this.#mounts.length);
    const names = await readdir(this.#path(mount, worker, ''));
    for (let count = 0; count < 5; count++) {
      const name = names[below(names.length)];
      if (name === undefined) return;
      const path = this.#path(mount + count, worker, name);
      await this.#untilSeen(() => stat(path));
      await this.#untilSeen(() => utimes(path, count, Date.now() / 1000));
      this.operations += 2;
    }
    this.operations++;
  }

  /** A page in the middle of a file, again and again, as a database does. */
  async #synchronous(worker: number): Promise<void> {
    const path = this.#path(below(this.#mounts.length), worker, 'database');
    await using(await open(path, 'a'), async () => {});
    await using(await open(path, 'r+'), async (file) => {
      for (let count = 0; count < 10; count++) {
        await file.write(this.#bytes, 0, PAGE_BYTES, below(1000) * PAGE_BYTES);
        await file.sync();
        this.operations += 2;
      }
    });
  }

  async #large(worker: number): Promise<void> {
    const name = `large-${below(LARGE_FILES)}`;
    const from = below(this.#mounts.length);
    await using(await open(this.#path(from, worker, name), 'w'), async (file) => {
      for (let offset = 0; offset < LARGE_BYTES; offset += CHUNK_BYTES)
        await file.write(this.#bytes, offset, CHUNK_BYTES);
    });
    const target = new Uint8Array(CHUNK_BYTES);
    const path = this.#path(from + 1, worker, name);
    await using(await this.#untilSeen(() => open(path, 'r')), async (file) => {
      for (let offset = 0; offset < LARGE_BYTES; offset += CHUNK_BYTES) await file.read(target, 0, CHUNK_BYTES, offset);
    });
    this.operations += (2 * LARGE_BYTES) / CHUNK_BYTES;
  }

  /** Of a name that another mount has made just now, a kernel hears a few milliseconds later. */
  async #untilSeen<T>(work: () => Promise<T>): Promise<T> {
    const startMs = performance.now();
    for (;;) {
      try {
        const result = await work();
        this.longestUnseenMs = Math.max(this.longestUnseenMs, performance.now() - startMs);
        return result;
      } catch (error) {
        const isUnseen = error instanceof Error && 'code' in error && error.code === 'ENOENT';
        if (!isUnseen || performance.now() > startMs + SEEN_WITHIN_MS) throw error;
        await new Promise((resolve) => setTimeout(resolve, SEEN_POLL_MS));
      }
    }
  }

  #path(mount: number, worker: number, name: string): string {
    return join(this.#mounts[mount % this.#mounts.length] ?? '', `load-${worker}`, name);
  }
}

async function using(file: FileHandle, work: (file: FileHandle) => Promise<void>): Promise<void> {
  try {
    await work(file);
  } finally {
    await file.close();
  }
}

function choose(): keyof typeof WEIGHTS {
  let at = below(Object.values(WEIGHTS).reduce((sum, weight) => sum + weight));
  for (const [kind, weight] of Object.entries(WEIGHTS) as [keyof typeof WEIGHTS, number][]) {
    at -= weight;
    if (at < 0) return kind;
  }
  return 'small';
}

function below(count: number): number {
  return Math.floor(Math.random() * count);
}
