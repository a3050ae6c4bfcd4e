// nmrfs status --watch: looks again and again, also while no mediator answers, until it is told to end.
import type { Config } from '../../config.js';
import { ServiceError } from '../../protocol/errors.js';
import { messageOf } from '../../runtime/caught-errors.js';
import { withAdmin } from '../admin-client.js';
import { CommandFailure } from '../failure.js';
import { paint } from '../output.js';
import { statusText } from '../status-text.js';
import { ratesText, type TimedStatus } from './rates.js';
import { Screen } from './screen.js';

/** A mediator that takes longer is shown as away. */
const ANSWER_MS = 5000;
const TIME_CHARACTERS = 'HH:MM:SS'.length;

export interface WatchOptions {
  /** One JSON document a line for each change, instead of text. */
  isJson: boolean;
  intervalMs: number;
}

/** Resolves after SIGINT, SIGTERM or SIGHUP. Throws where no mediator will ever answer, as with a wrong secret. */
export async function watchStatus(config: Config, options: WatchOptions): Promise<void> {
  const ending = new AbortController();
  const end = (): void => ending.abort();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const watch = new StatusWatch(config, options, ending.signal);
  const redraw = (): void => watch.redraw();
  for (const signal of signals) process.on(signal, end);
  process.stdout.on('resize', redraw);
  try {
    await watch.run();
  } finally {
    for (const signal of signals) process.off(signal, end);
    process.stdout.off('resize', redraw);
    watch.end();
  }
}

class StatusWatch {
  #last: TimedStatus | null = null;
  #lastJson = '';
  #awaySince: string | null = null;

  readonly #config: Config;
  readonly #options: WatchOptions;
  readonly #ending: AbortSignal;
  readonly #screen = new Screen(process.stdout, () => paint('dim', `nmrfs ${timeText()}`));

  constructor(config: Config, options: WatchOptions, ending: AbortSignal) {
    this.#config = config;
    this.#options = options;
    this.#ending = ending;
  }

  /** Connects anew whenever a mediator is lost: another one may be active then. */
  async run(): Promise<void> {
    while (!this.#ending.aborted) {
      try {
        await withAdmin(this.#config, async (admin) => {
          while (!this.#ending.aborted) {
            const status = await admin.status({}, { deadlineMs: ANSWER_MS, signal: this.#ending });
            this.#show({ atMs: performance.now(), status });
            await this.#pause();
          }
        });
      } catch (error) {
        if (this.#ending.aborted) return;
        if (!isOutage(error)) throw error;
        this.#showOutage(messageOf(error));
        await this.#pause();
      }
    }
  }

  redraw(): void {
    if (!this.#options.isJson && process.stdout.isTTY) this.#screen.redraw();
  }

  end(): void {
    this.#screen.end();
  }

  #show(now: TimedStatus): void {
    const { status } = now;
    this.#awaySince = null;
    if (this.#options.isJson) this.#printJson(status);
    else {
      const facts = statusText(status, this.#config.metadataProtocol);
      this.#screen.show({ facts, passing: ratesText(this.#last, now) });
    }
    this.#last = now;
  }

  #showOutage(reason: string): void {
    this.#awaySince ??= timeText();
    if (this.#options.isJson) {
      this.#printJson({ readable: false, writable: false, reason });
      return;
    }
    const seen = this.#last;
    const text = seen === null ? '' : `Before that:\n\n${statusText(seen.status, this.#config.metadataProtocol)}`;
    this.#screen.show({ facts: paint('red', `Since ${this.#awaySince}: ${reason}`), passing: text });
  }

  #printJson(value: object): void {
    const text = JSON.stringify(value);
    if (text === this.#lastJson) return;
    this.#lastJson = text;
    process.stdout.write(`${text}\n`);
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#ending.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        this.#ending.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, this.#options.intervalMs);
      this.#ending.addEventListener('abort', done);
    });
  }
}

/** What time may mend; a refusal it does not. */
function isOutage(error: unknown): boolean {
  return error instanceof CommandFailure || (error instanceof ServiceError && error.code !== 'REFUSED');
}

function timeText(): string {
  return new Date().toTimeString().slice(0, TIME_CHARACTERS);
}
