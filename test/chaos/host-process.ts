// A process on a host, started again when it ends, as a service manager does. One that ends by itself is a fault of the program.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isAlive, until } from '../support/cluster.js';

const RESTART_MS = 300;

export interface HostProcessPlan {
  name: string;
  command: readonly string[];
  directory: string;
  /** Its output is added to this file. */
  log: string;
  /** It has ended, and nobody had ended it. */
  onCrash: (how: string) => void;
}

export class HostProcess {
  #process: ChildProcess | null = null;
  #isWanted = false;
  #restart: NodeJS.Timeout | null = null;

  readonly #plan: HostProcessPlan;

  constructor(plan: HostProcessPlan) {
    this.#plan = plan;
  }

  start(): void {
    const { name, command, directory, log, onCrash } = this.#plan;
    const [program = '', ...parameters] = command;
    const output = openSync(log, 'a');
    const started = spawn(program, parameters, { cwd: directory, stdio: ['ignore', output, output] });
    closeSync(output);
    this.#process = started;
    this.#isWanted = true;
    started.once('exit', (status, signal) => {
      if (this.#process !== started) return;
      this.#process = null;
      if (!this.#isWanted) return;
      const last = readFileSync(log, 'utf8').trimEnd().split('\n').at(-1);
      onCrash(`${name} ended with ${signal ?? status}: ${last}`);
      this.#restart = setTimeout(() => this.start(), RESTART_MS);
    });
  }

  /** As a crash of its host does. It is not started again before `start`. */
  async kill(): Promise<void> {
    this.letEnd();
    if (this.#restart !== null) clearTimeout(this.#restart);
    this.#restart = null;
    await this.resume();
    const ended = await this.#signal('SIGKILL');
    await until(`${this.#plan.name} to end`, async () => !ended.some(isAlive));
    this.#process = null;
  }

  /** From now on it may end, and is not started again. */
  letEnd(): void {
    this.#isWanted = false;
  }

  /** All of it stops where it is. */
  async pause(): Promise<void> {
    await this.#signal('SIGSTOP');
  }

  async resume(): Promise<void> {
    await this.#signal('SIGCONT');
  }

  /** To all processes of it: that of a data server is the child of one that waits for it. @returns their ids */
  async #signal(signal: NodeJS.Signals): Promise<number[]> {
    const pid = this.#process?.pid;
    if (pid === undefined) return [];
    const all = await withDescendants(pid);
    for (const each of all) if (isAlive(each)) process.kill(each, signal);
    return all;
  }
}

async function withDescendants(pid: number): Promise<number[]> {
  // It may end while we look.
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const below = children.split(' ').filter((word) => word !== '');
  return [pid, ...(await Promise.all(below.map((child) => withDescendants(Number(child))))).flat()];
}
