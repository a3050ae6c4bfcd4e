// Carries out operations on real files, in a Python of its own: Node can
// neither map files nor make holes, and a process that may hang or die of
// SIGBUS must not be the one that watches it.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Operation } from './operations.js';
import { PROGRAM } from './program.js';

/** No operation takes this long, whatever happens to a server; one that does hangs. */
const OPERATION_TIMEOUT_MS = 90_000;
const END_TIMEOUT_MS = 5000;

export interface Answer {
  /** An error's name, EIO for instance, with what it was about. */
  error?: string;
  /** Errors of synchronisations that went on meanwhile. */
  late: string[];
  /** Of the open file that the operation was about. */
  sizeBytes?: number;
  links?: number;
  /** base64 */
  data?: string;
  /** Ranges that hold data, first and end. */
  extents?: [number, number][];
  names?: string[];
}

export type Request =
  | (Operation & { data?: string })
  /** The whole content under a name. */
  | { kind: 'content'; name: string }
  | { kind: 'list' }
  /** Closes all files, and waits for what goes on. */
  | { kind: 'close-all' };

export class Hands {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<void>;
  #said = '';

  /** @param direct whether the file system takes O_DIRECT at any offset */
  constructor(directory: string, direct: boolean) {
    this.#process = spawn('python3', ['-u', '-c', PROGRAM, directory, direct ? 'direct' : 'cached']);
    this.#process.stderr.on('data', (chunk) => {
      this.#said += String(chunk);
    });
    // There is no Python: told like one that ends.
    this.#process.on('error', (error) => {
      this.#said += String(error);
    });
    // Writing to a process that has ended is told by its missing answer.
    this.#process.stdin.on('error', () => undefined);
    this.#ended = new Promise((resolve) => this.#process.once('close', () => resolve()));
    this.#lines = createInterface(this.#process.stdout)[Symbol.asyncIterator]();
  }

  async does(request: Request): Promise<Answer> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    let timer: NodeJS.Timeout | undefined;
    const hangs = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`it hangs for ${OPERATION_TIMEOUT_MS} ms`)), OPERATION_TIMEOUT_MS);
    });
    try {
      const line = await Promise.race([this.#lines.next(), hangs]);
      if (line.done !== true) return JSON.parse(line.value) as Answer;
      await this.#ended;
      throw new Error(`Python ended by ${this.#process.signalCode ?? this.#process.exitCode}: ${this.#said}`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A Python that hangs in a mount which hangs ends with the mount: nobody waits for it longer than a little. */
  async end(): Promise<void> {
    this.#process.kill('SIGKILL');
    let timer: NodeJS.Timeout | undefined;
    const gaveUp = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, END_TIMEOUT_MS);
    });
    await Promise.race([this.#ended, gaveUp]);
    clearTimeout(timer);
  }
}
