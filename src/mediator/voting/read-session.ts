// One read by vote, of many ranges of blocks: asks Qr replicas, counts their
// ballots, asks the others when those do not agree or are late, until every
// block has a verdict.
import { giveBack } from '../../protocol/wire/lent.js';
import type { Timer } from '../../runtime/clock.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Counters } from '../counters.js';
import type { Replica } from '../replicas/replica.js';
import { ask, NO_BOXES } from './ask.js';
import { BallotBox, type Wanted } from './ballot-box.js';
import { dissents } from './vote.js';

/** A read waits for a silent replica this many times its peers' usual latency before it asks others. */
export const HEDGE_FACTOR = 4;
export const HEDGE_MINIMUM_MS = 20;
const HEDGE_MAXIMUM_MS = 500;
/** A replica is stuck that has answered nothing for so long. With 20 ms most of what is gained under load was lost. */
const STUCK_MS = 100;

/** Is told what reads see; its methods are cheap and do not throw. */
export interface ReadObserver {
  /** A replica's ballot lost the vote. */
  dissented(box: BallotBox, replica: Replica): void;
  /** A block's vote is over, while these replicas have been asked and have not answered. Absent where nobody wants to know. */
  decided?(box: BallotBox, silent: readonly Replica[]): void;
  /** These replicas were not asked. */
  unasked(wanted: readonly Wanted[], replicas: readonly Replica[]): void;
}

export interface ReadOutcome {
  /** The range's bytes, or null when there was no quorum. */
  data: Uint8Array | null;
  box: BallotBox;
}

export interface ReadResult {
  /** In the order of what was wanted. */
  outcomes: ReadOutcome[];
  /** Gives back the memory of all bytes, which must not be used any more. It may be left uncalled. */
  release(): void;
}

interface Dependencies {
  observer: ReadObserver;
  counters: Counters;
  runtime: Runtime;
}

export class ReadSession {
  readonly #boxes: BallotBox[];
  readonly #undecided: Set<BallotBox>;
  readonly #unasked: Replica[];
  readonly #asked: Replica[] = [];
  /** Replicas that have not answered what they were asked last, and when that was. */
  readonly #silent = new Map<Replica, number>();
  /** Replicas that were asked for the bytes again after the vote was won. */
  readonly #fetched = new Map<BallotBox, Set<Replica>>();
  /** Their memory holds the bytes. */
  readonly #replies: object[] = [];
  #resolve: (result: ReadResult) => void = () => {};
  #startMs = 0;
  #timer: Timer | undefined;
  #isHedged = false;

  readonly #wanted: readonly Wanted[];
  readonly #quorum: number;
  readonly #observer: ReadObserver;
  readonly #counters: Counters;
  readonly #runtime: Runtime;

  constructor(
    wanted: readonly Wanted[],
    candidates: readonly Replica[],
    quorum: number,
    { observer, counters, runtime }: Dependencies,
  ) {
    this.#wanted = wanted;
    this.#quorum = quorum;
    this.#observer = observer;
    this.#counters = counters;
    this.#runtime = runtime;
    this.#boxes = wanted.map((each) => new BallotBox(each));
    this.#undecided = new Set(this.#boxes);
    this.#unasked = [...candidates];
  }

  run(): Promise<ReadResult> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#startMs = this.#runtime.clock.monotonicMs();
      const chosen = this.#unasked.splice(0, this.#quorum);
      // Each of them sends the bytes of every n-th block.
      const shares = chosen.map(() => new Set<BallotBox>());
      for (const [position, box] of this.#boxes.entries()) shares[position % chosen.length]?.add(box);
      for (const [place, replica] of chosen.entries()) this.#ask(replica, this.#boxes, shares[place] ?? NO_BOXES);
      this.#hedgeAfter(lateAfterMs(chosen));
      this.#evaluate();
    });
  }

  /** Asks others too when those that were asked take much longer than usual, and looks again later while some are left. */
  #hedgeAfter(delayMs: number): void {
    const { clock } = this.#runtime;
    this.#timer = clock.after(delayMs, () => {
      const nowMs = clock.monotonicMs();
      const sooner = this.#takeSooner(nowMs);
      if (sooner.length > 0) {
        if (!this.#isHedged) this.#counters.add('hedges');
        this.#isHedged = true;
        for (const [replica, askedMs] of this.#silent)
          if (nowMs - askedMs >= delayMs) replica.latencyMs = Math.max(replica.latencyMs, delayMs * 2);
        this.#askOthers(sooner);
        this.#evaluate();
      }
      if (this.#undecided.size > 0 && this.#unasked.length > 0) this.#hedgeAfter(delayMs);
    });
  }

  /**
   * Takes out of those that were not asked yet the ones that should answer sooner than the silent ones: they have about half as
   * much to do as the busiest of these, or less, or answer others while one of these is stuck. Under load, where all are late,
   * asking them too would only add to it. After HEDGE_MAXIMUM_MS it takes all.
   */
  #takeSooner(nowMs: number): Replica[] {
    if (nowMs - this.#startMs >= HEDGE_MAXIMUM_MS) return this.#unasked.splice(0);
    let busiest = 0;
    let isOneStuck = false;
    for (const [{ callsUnderWay, lastAnswerMs }, askedMs] of this.#silent) {
      busiest = Math.max(busiest, callsUnderWay);
      if (nowMs - Math.max(lastAnswerMs, askedMs) >= STUCK_MS) isOneStuck = true;
    }
    const sooner: Replica[] = [];
    for (const replica of this.#unasked.splice(0)) {
      const { callsUnderWay, lastAnswerMs } = replica;
      const isSooner = callsUnderWay <= 1 + busiest / 2 || (isOneStuck && nowMs - lastAnswerMs < STUCK_MS);
      (isSooner ? sooner : this.#unasked).push(replica);
    }
    return sooner;
  }

  #ask(replica: Replica, boxes: readonly BallotBox[], carrying: ReadonlySet<BallotBox>): void {
    this.#asked.push(replica);
    this.#silent.set(replica, this.#runtime.clock.monotonicMs());
    for (const box of boxes) box.outstanding++;
    for (const box of carrying) box.senders++;
    void this.#cast(replica, boxes, carrying);
  }

  async #cast(replica: Replica, boxes: readonly BallotBox[], carrying: ReadonlySet<BallotBox>): Promise<void> {
    try {
      await ask(replica, boxes, carrying, this.#replies);
    } catch {
      // Replica.call has noted the failure; here it is a ballot.
      for (const box of boxes) if (!box.ballots.has(replica)) box.unreachable(replica);
    }
    this.#silent.delete(replica);
    for (const box of boxes) {
      box.outstanding--;
      if (!this.#undecided.has(box)) this.#countLate(box, replica);
    }
    for (const box of carrying) box.senders--;
    this.#evaluate();
  }

  /** A ballot that comes after the verdict still shows a dissenter, unless there is no quorum and so nothing to repair with. */
  #countLate(box: BallotBox, replica: Replica): void {
    if (box.data === null && box.wanted.length > 0) return;
    const ballot = box.ballots.get(replica);
    if (ballot !== undefined && dissents(ballot, box.wanted.reference.hash)) this.#observer.dissented(box, replica);
  }

  #askAllOthers(): void {
    this.#askOthers(this.#unasked.splice(0));
  }

  #askOthers(others: readonly Replica[]): void {
    const boxes = [...this.#undecided];
    const withoutData = new Set(boxes.filter((box) => box.data === null));
    for (const [place, replica] of others.entries()) this.#ask(replica, boxes, place === 0 ? withoutData : NO_BOXES);
  }

  #evaluate(): void {
    if (this.#undecided.size === 0) return;
    let mustAskOthers = false;
    for (const box of this.#undecided) {
      const verdict = box.verdict(box.outstanding + this.#unasked.length, this.#quorum);
      switch (verdict.outcome) {
        case 'agreed':
          if (box.data !== null || box.wanted.length === 0) this.#decide(box);
          else if (box.senders === 0) this.#fetch(box);
          break;
        case 'no-quorum':
          box.lose();
          this.#decide(box);
          break;
        case 'pending':
          if (box.verdict(box.outstanding, this.#quorum).outcome === 'no-quorum') mustAskOthers = true;
          break;
      }
    }
    if (mustAskOthers) this.#askAllOthers();
    if (this.#undecided.size === 0) this.#finish();
  }

  /** The vote is won without the bytes: those who were to send them lost the vote, failed, or sent wrong ones. */
  #fetch(box: BallotBox): void {
    const source = box.agreeing().find((replica) => replica.reachable && !this.#wasFetchedFrom(box, replica));
    if (source === undefined) {
      if (this.#unasked.length > 0) this.#askAllOthers();
      else this.#decide(box);
      return;
    }
    this.#fetched.set(box, (this.#fetched.get(box) ?? new Set()).add(source));
    this.#ask(source, [box], new Set([box]));
  }

  #wasFetchedFrom(box: BallotBox, replica: Replica): boolean {
    return this.#fetched.get(box)?.has(replica) ?? false;
  }

  #decide(box: BallotBox): void {
    this.#undecided.delete(box);
    this.#observer.decided?.(
      box,
      this.#asked.filter((replica) => !box.ballots.has(replica)),
    );
    if (box.data === null && box.wanted.length > 0) return;
    for (const replica of box.dissenters()) this.#observer.dissented(box, replica);
  }

  #finish(): void {
    this.#timer?.cancel();
    if (this.#unasked.length > 0) this.#observer.unasked(this.#wanted, this.#unasked);
    const outcomes: ReadOutcome[] = [];
    for (const box of this.#boxes) {
      const isEmpty = box.wanted.length === 0 && box.agreeing().length >= this.#quorum;
      outcomes.push({ data: box.data ?? (isEmpty ? new Uint8Array(0) : null), box });
    }
    // A copy: the memory of late replies is left to V8's garbage collector.
    const replies = [...this.#replies];
    this.#resolve({
      outcomes,
      release() {
        for (const reply of replies) giveBack(reply);
      },
    });
  }
}

/** How long those who are asked first may take before others are asked too. */
function lateAfterMs(chosen: readonly Replica[]): number {
  let usual = 0;
  for (const { latencyMs } of chosen) usual = Math.max(usual, Math.min(latencyMs, HEDGE_MAXIMUM_MS));
  return Math.min(HEDGE_MAXIMUM_MS, Math.max(HEDGE_MINIMUM_MS, usual * HEDGE_FACTOR));
}
