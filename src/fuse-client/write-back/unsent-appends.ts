// Which of a file's unsent bytes were appended, O_APPEND. Their place is not
// certain before they are stored: another mount may append first. Other bytes
// may come between two appends, but never within one.

/** Of the places between appends, one in so many bytes is remembered: batches end there. */
const STEP_BYTES = 64 * 1024;

export class UnsentAppends {
  #from: number | undefined;
  /** Where one append ends and the next begins, in order. */
  #starts: number[] = [];

  /** Unsent bytes from here on were appended; undefined when none were. */
  get from(): number | undefined {
    return this.#from;
  }

  /** `endBytes`: the size of the file, where the bytes go. It is certain behind a cut that travels with them. */
  add(endBytes: number, isPlaceCertain: boolean): void {
    if (!isPlaceCertain) this.#from ??= endBytes;
    if (endBytes - (this.#starts.at(-1) ?? 0) >= STEP_BYTES) this.#starts.push(endBytes);
  }

  cutAt(sizeBytes: number): void {
    this.#starts = this.#starts.filter((start) => start <= sizeBytes);
    if (this.#from !== undefined && sizeBytes <= this.#from) this.#from = undefined;
  }

  /** The appended bytes begin at `to` now. */
  moveTo(to: number): void {
    const from = this.#from;
    if (from === undefined) return;
    this.#starts = this.#starts.map((start) => (start < from ? start : start + to - from));
    this.#from = to;
  }

  sentUpTo(end: number, isAllSent: boolean): void {
    this.#starts = this.#starts.filter((start) => start > end);
    if (this.#from !== undefined) this.#from = isAllSent ? undefined : Math.max(this.#from, end);
  }

  /** Where a batch ends that begins at `start`, is to end at `wanted` and must end at `end`: between two appends if it can. */
  batchEnd(start: number, wanted: number, end: number): number {
    if (this.#from === undefined || wanted <= this.#from || this.#starts.includes(wanted)) return wanted;
    return this.#starts.findLast((each) => each <= end && each > start) ?? wanted;
  }

  clear(): void {
    this.#from = undefined;
    this.#starts = [];
  }
}
