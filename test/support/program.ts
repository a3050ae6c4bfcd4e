// A program that a test tells step by step what to do with files: what touches a
// mount is a process of its own, never the test.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A Python that stays, so that files stay open and locks held; one line in, one line out. */
export class Program {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<void>;

  constructor() {
    const loop = [
      'import os, fcntl, sys, mmap',
      'for line in sys.stdin:',
      '    try: print(repr(eval(line)), flush=True)',
      '    except SyntaxError: exec(line, globals()); print("done", flush=True)',
      '    except OSError as error: print(f"errno {error.errno}", flush=True)',
    ].join('\n');
    this.#process = spawn('python3', ['-u', '-c', loop]);
    this.#ended = new Promise((resolve) => this.#process.once('close', () => resolve()));
    this.#lines = createInterface(this.#process.stdout)[Symbol.asyncIterator]();
  }

  async does(line: string): Promise<string> {
    this.#process.stdin.write(`${line}\n`);
    const { value } = (await this.#lines.next()) as { value: string };
    return value;
  }

  async end(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}
