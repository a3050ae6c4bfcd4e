// Gathers what a core wants sent and stored, and hands it out.
import { assert } from '../../runtime/assert.js';
import type { Entry, Envelope, HardState, Mark, Outgoing, Sends, Writes } from './core.js';
import type { MemberId } from './members.js';

export class Outbox<Message extends Envelope> {
  #messages: Outgoing<Message>[] = [];
  #afterwards: Outgoing<Message>[] = [];
  #install: Mark | null = null;
  #hardState: HardState | null = null;
  #entries: Entry[] = [];
  #snapshotsFor: MemberId[] = [];
  /** The writes that are under way: the term they store, and the first entry. */
  #underWay: { term: number | null; first: number | null; entries: readonly Entry[] } | null = null;
  #storedTerm: number;

  constructor(hardState: HardState) {
    this.#storedTerm = hardState.term;
  }

  /** Up to where the log, which ends at `lastIndex`, is on the disk as it is. */
  storedUpTo(lastIndex: number): number {
    const pending = this.#firstPending;
    const first = Math.min(pending ?? Number.POSITIVE_INFINITY, this.#underWay?.first ?? Number.POSITIVE_INFINITY);
    return Math.min(lastIndex, first - 1);
  }

  /** Whether something is to be stored, or is being stored. */
  get isStoring(): boolean {
    return this.#underWay !== null || this.#hasSomethingToStore();
  }

  /** An entry that is not on the disk yet. */
  unstored(index: number): Entry | undefined {
    return entryIn(this.#entries, index) ?? entryIn(this.#underWay?.entries ?? [], index);
  }

  setHardState(hardState: HardState): void {
    // An answer to a leader or candidate of an earlier term may speak of entries that are replaced before they are stored.
    if (hardState.term > (this.#hardState?.term ?? this.#storedTerm)) this.#afterwards = [];
    this.#hardState = hardState;
  }

  put(entry: Entry): void {
    while ((this.#entries.at(-1)?.index ?? 0) >= entry.index) this.#entries.pop();
    this.#entries.push(entry);
  }

  install(mark: Mark): void {
    this.#entries = [];
    this.#install = mark;
  }

  /** Sent when everything is stored that was to be stored up to now. */
  sendAfterwards(message: Outgoing<Message>): void {
    this.#afterwards.push(message);
  }

  /** Sent at once if the term of the message is on the disk: nobody hears of a term that this member may forget. */
  sendNow(message: Outgoing<Message>): void {
    const isTrial = 'isTrial' in message && message.isTrial;
    if (isTrial || message.term <= this.#storedTerm) this.#messages.push(message);
    else this.#afterwards.push(message);
  }

  sendSnapshot(member: MemberId): void {
    this.#snapshotsFor.push(member);
  }

  takeSends(): Sends<Message> {
    const sends = { messages: this.#messages, snapshotsFor: this.#snapshotsFor };
    this.#messages = [];
    this.#snapshotsFor = [];
    return sends;
  }

  takeWrites(): Writes<Message> | null {
    assert(this.#underWay === null, 'one batch of writes is under way');
    if (!this.#hasSomethingToStore() && this.#afterwards.length === 0) return null;
    const writes = {
      install: this.#install,
      hardState: this.#hardState,
      entries: this.#entries,
      afterwards: this.#afterwards,
    };
    this.#underWay = { term: this.#hardState?.term ?? null, first: this.#firstPending, entries: this.#entries };
    this.#install = null;
    this.#hardState = null;
    this.#entries = [];
    this.#afterwards = [];
    return writes;
  }

  stored(): void {
    assert(this.#underWay !== null, 'only what was taken is stored');
    this.#storedTerm = this.#underWay.term ?? this.#storedTerm;
    this.#underWay = null;
  }

  /** Installing replaces everything. */
  get #firstPending(): number | null {
    return this.#install !== null ? 1 : (this.#entries[0]?.index ?? null);
  }

  #hasSomethingToStore(): boolean {
    return this.#install !== null || this.#hardState !== null || this.#entries.length > 0;
  }
}

/** Entries of one batch follow each other. */
function entryIn(entries: readonly Entry[], index: number): Entry | undefined {
  const first = entries[0]?.index ?? 0;
  return entries[index - first];
}
