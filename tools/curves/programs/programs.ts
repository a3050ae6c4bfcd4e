// Several measuring programs that work at once.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FromProgram, ToProgram } from './program.js';
import type { Work } from './work.js';

const PROGRAM = fileURLToPath(new URL('./program.js', import.meta.url));

export interface Done {
  /** Of all programs together. */
  amount: number;
  /** From the first beginning to the last end. */
  seconds: number;
}

export class Programs {
  readonly #processes: ChildProcess[];

  /** Outside of every mount: a working directory there would keep it from being unmounted. */
  constructor(count: number) {
    this.#processes = Array.from({ length: count }, () => fork(PROGRAM, { cwd: '/' }));
  }

  /** One work for each of the first programs. Rejects with the reason of the first that fails. */
  async run(works: readonly Work[]): Promise<Done> {
    const busy = works.map((work, position) => {
      const process = this.#processes[position];
      if (process === undefined) throw new Error(`${works.length} works for ${this.#processes.length} programs`);
      return { process, work };
    });
    await Promise.all(busy.map(({ process, work }) => ask(process, { kind: 'prepare', work })));
    const answers = await Promise.all(busy.map(({ process }) => ask(process, { kind: 'begin' })));
    const done = answers.flatMap((answer) => (answer.kind === 'done' ? [answer] : []));
    const startMs = Math.min(...done.map((each) => each.startMs));
    const endMs = Math.max(...done.map((each) => each.endMs));
    return { amount: done.reduce((sum, each) => sum + each.amount, 0), seconds: (endMs - startMs) / 1000 };
  }

  async end(): Promise<void> {
    await Promise.all(
      this.#processes.map(async (process) => {
        if (process.exitCode !== null || process.signalCode !== null) return;
        const ended = once(process, 'exit');
        process.kill();
        await ended;
      }),
    );
  }
}

function ask(process: ChildProcess, message: ToProgram): Promise<FromProgram> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void) => {
      process.off('message', answered).off('exit', ended);
      outcome();
    };
    const answered = (answer: FromProgram) =>
      settle(() => (answer.kind === 'failed' ? reject(new Error(answer.reason)) : resolve(answer)));
    const ended = () => settle(() => reject(new Error('a measuring program has ended')));
    process.on('message', answered).on('exit', ended);
    process.send(message, (error) => {
      if (error !== null) settle(() => reject(error));
    });
  });
}
