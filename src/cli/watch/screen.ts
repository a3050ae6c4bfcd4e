// Where a watched text is shown: in place on a terminal, and else as one block whenever it has changed.
// Must leave the terminal as it was.

const HOME = '\u001b[H';
const CLEAR_TO_END_OF_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const CLEAR_ALL = '\u001b[2J';
/** The cursor hidden, and long lines cut instead of wrapped. */
const BEGIN = '\u001b[?25l\u001b[?7l';
const END = '\u001b[?7h\u001b[?25h';

/** What is to be seen: `facts` decide whether anything has changed, `passing` is shown beside them. */
export interface Shown {
  facts: string;
  passing: string;
}

/** The part of process.stdout that is needed. */
export interface ScreenStream {
  isTTY?: boolean;
  rows?: number;
  write(text: string): unknown;
}

export class Screen {
  #lastFacts: string | null = null;
  #last: Shown | null = null;
  #hasBegun = false;

  readonly #stream: ScreenStream;
  readonly #timeText: () => string;

  /** @param timeText stands above each block */
  constructor(stream: ScreenStream, timeText: () => string) {
    this.#stream = stream;
    this.#timeText = timeText;
  }

  show(shown: Shown): void {
    this.#last = shown;
    if (this.#stream.isTTY === true) this.redraw();
    else if (shown.facts !== this.#lastFacts) {
      this.#stream.write(`${this.#lastFacts === null ? '' : '\n'}${this.#heading}\n${bodyOf(shown)}\n`);
    }
    this.#lastFacts = shown.facts;
  }

  /** After the terminal has another size. */
  redraw(): void {
    if (this.#last === null) return;
    const lines = [this.#heading, ...bodyOf(this.#last).split('\n')];
    const room = Math.max(2, (this.#stream.rows ?? Number.POSITIVE_INFINITY) - 1);
    const hidden = lines.length - room;
    const seen = hidden > 0 ? [...lines.slice(0, room - 1), `… ${hidden + 1} more lines`] : lines;
    const text = seen.map((line) => `${line}${CLEAR_TO_END_OF_LINE}\n`).join('');
    this.#stream.write(`${this.#hasBegun ? '' : BEGIN + CLEAR_ALL}${HOME}${text}${CLEAR_BELOW}`);
    this.#hasBegun = true;
  }

  end(): void {
    if (this.#hasBegun) this.#stream.write(END);
    this.#hasBegun = false;
  }

  get #heading(): string {
    return this.#timeText();
  }
}

function bodyOf({ facts, passing }: Shown): string {
  return passing === '' ? facts : `${facts}\n\n${passing}`;
}
