// What happened in a run: the last lines for people, and a running hash of
// everything, by which two runs are compared.

const KEPT_LINES = 4000;

export class Trace {
  readonly #lines: string[] = [];
  #hash = 0x811c9dc5;

  /** Receives every line as it is written; for a run that is watched. */
  onLine: ((line: string) => void) | null = null;

  /** A digest of all that was added so far. */
  get digest(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  /** Mixes a number into the digest. */
  mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ (value | 0), 0x01000193);
  }

  /** Adds a line, and mixes it into the digest. */
  line(timeUs: number, text: string): void {
    for (let at = 0; at < text.length; at++) this.mix(text.charCodeAt(at));
    const line = `${(timeUs / 1e6).toFixed(6).padStart(12)} ${text}`;
    this.#lines.push(line);
    if (this.#lines.length > 2 * KEPT_LINES) this.#lines.splice(0, KEPT_LINES);
    this.onLine?.(line);
  }

  /** The last `count` lines. */
  tail(count: number): string[] {
    return this.#lines.slice(-count);
  }
}
