// A Python program that works on a mount by itself, told and heard line by line.
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { until } from './cluster.js';

export class PythonProgram {
  /** What it has printed and nobody has heard yet. */
  readonly lines: string[] = [];
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<void>;
  #complaint = '';

  constructor(source: string, ...parameters: string[]) {
    this.#process = spawn('python3', ['-u', '-c', source, ...parameters], { cwd: '/' });
    this.#ended = new Promise((resolve) => this.#process.once('close', () => resolve()));
    this.#process.stderr.on('data', (chunk) => {
      this.#complaint += String(chunk);
    });
    createInterface(this.#process.stdout).on('line', (line) => this.lines.push(line));
  }

  tell(line: string): void {
    this.#process.stdin.write(`${line}\n`);
  }

  async hear(): Promise<string> {
    await until('the program to say something', async () => {
      this.mustGoOn();
      return this.lines.length > 0;
    });
    return this.lines.shift() ?? '';
  }

  /** Throws when the program has failed or ended. */
  mustGoOn(): void {
    if (this.#complaint !== '' || this.#process.exitCode !== null) throw new Error(`it ended: ${this.#complaint}`);
  }

  /** Ends its input, and waits until it ends. */
  async finish(): Promise<void> {
    this.#process.stdin.end();
    await this.#ended;
    assert.equal(this.#complaint, '');
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}
