// What a leader knows of another member, and what it may send to it.
import type { LogShape } from './log-shape.js';

export class Progress {
  /** What the member is known to have stored. */
  matched = 0;
  /** The next entry that is sent. */
  next: number;
  /** Whether it was heard of since the last check of the quorum. */
  isActive = true;
  /** The last round of heartbeats that it has answered. */
  heardRound = 0;
  /**
   * probing: it is not known where its log and the leader's part; one message at a time.
   * streaming: entries are sent before those before them are answered.
   * snapshot: it needs what the log has no more.
   */
  state: 'probing' | 'streaming' | 'snapshot' = 'probing';
  /** A probe is under way: the last round of heartbeats that was sent before it. */
  #probedIn: number | null = null;
  /** The last entry of each message that is under way. */
  #inFlight: number[] = [];

  readonly #maximumInFlight: number;

  constructor(next: number, maximumInFlight: number) {
    this.next = next;
    this.#maximumInFlight = maximumInFlight;
  }

  /** Whether entries may be sent now. */
  get mayStream(): boolean {
    return this.state === 'streaming' && this.#inFlight.length < this.#maximumInFlight;
  }

  get mayProbe(): boolean {
    return this.state === 'probing' && this.#probedIn === null;
  }

  /** After one that has ended it is the answer to a heartbeat that allows another, or the state would be sent in a loop. */
  get mayBeginSnapshot(): boolean {
    return this.state === 'streaming' || this.mayProbe;
  }

  /** @param round the last one that was sent */
  probed(round: number): void {
    this.#probedIn = round;
  }

  streamed(last: number): void {
    this.#inFlight.push(last);
    this.next = last + 1;
  }

  /** It has stored everything up to `index`. */
  match(index: number): void {
    this.matched = Math.max(this.matched, index);
    this.next = Math.max(this.next, this.matched + 1);
    this.#inFlight = this.#inFlight.filter((last) => last > this.matched);
    if (this.state !== 'streaming') this.#enter('streaming');
  }

  /**
   * The entry at `index` is not the leader's; the one at the hint may be. A member that has lost what it had stored shows less
   * than it had acknowledged; a late answer may look the same, and costs a message.
   */
  mismatch(index: number, hint: { index: number; term: number }, log: LogShape): void {
    if (this.state === 'snapshot' || (this.state === 'probing' && index !== this.next - 1)) return;
    const common = Math.min(index - 1, hint.index, log.lastUpTo(hint.index, hint.term).index);
    this.matched = Math.min(this.matched, common);
    this.next = common + 1;
    this.#enter('probing');
  }

  /**
   * A message may have been lost: what is under way is asked about again. A probe is not, by the answer to a heartbeat that was sent
   * before it: that says nothing about the probe.
   */
  heard(round: number): void {
    this.heardRound = Math.max(this.heardRound, round);
    if (this.#probedIn !== null && round > this.#probedIn) this.#probedIn = null;
    if (this.#inFlight.length === this.#maximumInFlight) this.#inFlight.shift();
  }

  beginSnapshot(): void {
    this.#enter('snapshot');
  }

  endSnapshot(): void {
    if (this.state !== 'snapshot') return;
    this.next = this.matched + 1;
    this.#enter('probing');
    // Not at once again: the next answer to a heartbeat lets it go on.
    this.#probedIn = this.heardRound;
  }

  #enter(state: Progress['state']): void {
    this.state = state;
    this.#probedIn = null;
    this.#inFlight = [];
  }
}
