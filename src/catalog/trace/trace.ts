// The trace: a readable line for each message between servers and for each request of a client, with what it changed here.
import { brief } from '../../recording/brief.js';
import { messageOf } from '../../runtime/caught-errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Call, CallWatch, Outcome } from './watched-calls.js';

/** What may change: role, term, what is committed, a timestamp. */
export type Facts = Readonly<Record<string, string | number | boolean | null>>;

export interface TraceParts {
  readonly say: (line: string) => void;
  readonly facts: () => Facts;
  readonly clock: Clock;
  /** Of this server. */
  readonly name: string;
}

export class Trace implements CallWatch {
  readonly #parts: TraceParts;
  readonly #beganMs: number;
  #last: Facts;

  constructor(parts: TraceParts) {
    this.#parts = parts;
    this.#beganMs = parts.clock.monotonicMs();
    this.#last = parts.facts();
  }

  called({ by, name, text, from }: Call): (outcome: Outcome) => void {
    const who = from ?? by;
    this.#say(`→ ${who} ${text}`);
    return (outcome) => {
      const words = 'answer' in outcome ? brief(outcome.answer) : `failed: ${messageOf(outcome.error)}`;
      this.#say(`← ${who} ${name}: ${words}${this.#changes()}`);
    };
  }

  /** What is otherwise than when it was told last. */
  #changes(): string {
    const now = this.#parts.facts();
    const changed = Object.keys(now).filter((key) => now[key] !== this.#last[key]);
    const text = changed.map((key) => `${key} ${String(this.#last[key] ?? '–')} → ${String(now[key])}`).join(', ');
    this.#last = now;
    return text === '' ? '' : `   [${text}]`;
  }

  #say(line: string): void {
    const { say, clock, name } = this.#parts;
    const seconds = (clock.monotonicMs() - this.#beganMs) / 1000;
    say(`${seconds.toFixed(3).padStart(9)} ${name} ${line}`);
  }
}
