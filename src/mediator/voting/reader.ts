// Reading by vote. One replica is asked for the bytes and enough others for
// their ballots; all are asked when those do not agree or do not answer. No
// byte leaves here that fewer than Qr replicas or the witness speak against.
import type { GetItem, GetResult } from '../../protocol/services/blocks.js';
import { giveBack } from '../../protocol/wire/lent.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Counters } from '../counters.js';
import type { Replica } from '../replicas/replica.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import type { MediatorSettings } from '../settings.js';
import { BallotBox, type Wanted } from './ballot-box.js';
import { dissents } from './vote.js';

/** A read waits for a silent replica this many times its peers' usual latency before it asks others. */
const HEDGE_FACTOR = 4;
const HEDGE_MINIMUM_MS = 20;
const HEDGE_MAXIMUM_MS = 500;
/**
 * Neighbouring blocks that the same replicas are asked for first: 256 MiB of a file with the default block size. With 16 MiB, a cold
 * sequential read took a tenth longer: every other disk has to begin to read ahead again.
 */
const STRETCH_BLOCKS = 2048;

const ABSENT: GetResult = { state: 'absent' };
const NONE: ReadonlySet<BallotBox> = new Set();

/** What a reader tells about what it saw; all calls are cheap and do not throw. */
export interface ReadObserver {
  /** A replica's ballot lost the vote (or its version was not there). */
  dissented(box: BallotBox, replica: Replica): void;
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
  /** Gives the memory of all bytes back; nobody may look at them any more. Not to call it is safe. */
  release(): void;
}

export class Reader {
  readonly #replicas: ReplicaSet;
  readonly #settings: MediatorSettings;
  readonly #observer: ReadObserver;
  readonly #counters: Counters;
  readonly #runtime: Runtime;

  constructor(
    replicas: ReplicaSet,
    settings: MediatorSettings,
    observer: ReadObserver,
    counters: Counters,
    runtime: Runtime,
  ) {
    this.#replicas = replicas;
    this.#settings = settings;
    this.#observer = observer;
    this.#counters = counters;
    this.#runtime = runtime;
  }

  /** Equal ballots that win, as configured now. */
  get quorum(): number {
    return this.#settings.readQuorum;
  }

  /** Reads many ranges of blocks at once; never rejects. */
  read(wanted: readonly Wanted[]): Promise<ReadResult> {
    const candidates = this.#candidates(wanted);
    const session = new ReadSession(
      wanted,
      candidates,
      this.#settings.readQuorum,
      this.#observer,
      this.#counters,
      this.#runtime,
    );
    return session.run();
  }

  /** Ballots of all reachable replicas on whole blocks, every byte hashed now; nothing is repaired by this. */
  async poll(wanted: readonly Wanted[]): Promise<BallotBox[]> {
    const boxes = wanted.map((each) => new BallotBox(each));
    await Promise.all(
      this.#replicas.replicas.map(async (replica) => {
        if (!replica.reachable) {
          for (const box of boxes) box.unreachable(replica);
          return;
        }
        await ask(replica, boxes).catch(() => {
          for (const box of boxes) box.unreachable(replica);
        });
      }),
    );
    return boxes;
  }

  /**
   * Reachable replicas, the best to ask first: complete, not slow, and by turns. The turn stays for a stretch of a file,
   * so that whoever reads on finds the same disks reading ahead.
   */
  #candidates(wanted: readonly Wanted[]): Replica[] {
    const reachable = this.#replicas.reachable();
    const first = wanted[0];
    const stretch = first === undefined ? 0 : first.inode + Math.floor(first.reference.index / STRETCH_BLOCKS);
    const turn = stretch % Math.max(1, reachable.length);
    const rotated = [...reachable.slice(turn), ...reachable.slice(0, turn)];
    const latencies: number[] = [];
    for (const { latencyMs } of rotated) latencies.push(latencyMs);
    latencies.sort(ascending);
    const usual = latencies[Math.floor(latencies.length / 2)] ?? 0;
    const slow = Math.max(HEDGE_MINIMUM_MS, usual * HEDGE_FACTOR);
    const ranks: Replica[][] = [[], [], [], []];
    for (const replica of rotated) {
      ranks[(replica.state === 'up' ? 0 : 2) + (replica.latencyMs > slow ? 1 : 0)]?.push(replica);
    }
    return ranks.flat();
  }
}

function ascending(a: number, b: number): number {
  return a - b;
}

/**
 * Asks one replica about many blocks in one message and casts its ballots; rejects when it did not answer.
 * @param carrying those whose bytes it is to send; none by itself
 * @param replies gets the reply, whose memory holds the bytes, before anybody can see its ballots
 */
export async function ask(
  replica: Replica,
  boxes: readonly BallotBox[],
  carrying: ReadonlySet<BallotBox> = NONE,
  replies?: object[],
): Promise<void> {
  const items: GetItem[] = [];
  for (const box of boxes) {
    const { inode, reference, offset, length } = box.wanted;
    const { index, version } = reference;
    items.push({ inode, index, version, offset, length, data: carrying.has(box) });
  }
  const reply = await replica.call(() => replica.blocks.get({ items }), true);
  replies?.push(reply);
  for (const [position, box] of boxes.entries()) box.cast(replica, reply.results[position] ?? ABSENT);
}

/** One call of `read`: asks, counts, asks more, until every block has a verdict. */
class ReadSession {
  readonly #boxes: BallotBox[];
  readonly #undecided: Set<BallotBox>;
  readonly #unasked: Replica[];
  readonly #asked: Replica[] = [];
  readonly #answered = new Set<Replica>();
  /** Who was asked for the bytes alone, after the vote was won. */
  readonly #fetched = new Map<BallotBox, Set<Replica>>();
  /** Whose memory holds the bytes. */
  readonly #replies: object[] = [];
  #resolve: (result: ReadResult) => void = () => {};

  readonly #wanted: readonly Wanted[];
  readonly #quorum: number;
  readonly #observer: ReadObserver;
  readonly #counters: Counters;
  readonly #runtime: Runtime;

  constructor(
    wanted: readonly Wanted[],
    candidates: readonly Replica[],
    quorum: number,
    observer: ReadObserver,
    counters: Counters,
    runtime: Runtime,
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
      const chosen = this.#unasked.splice(0, this.#quorum);
      // By turns, so that each of them sends as much as the others.
      const shares = chosen.map(() => new Set<BallotBox>());
      for (const [position, box] of this.#boxes.entries()) shares[position % chosen.length]?.add(box);
      for (const [place, replica] of chosen.entries()) this.#ask(replica, this.#boxes, shares[place] ?? NONE);
      this.#hedge(chosen);
      this.#evaluate();
    });
  }

  #hedge(chosen: readonly Replica[]): void {
    let usual = 0;
    for (const { latencyMs } of chosen) usual = Math.max(usual, Math.min(latencyMs, HEDGE_MAXIMUM_MS));
    const delayMs = Math.min(HEDGE_MAXIMUM_MS, Math.max(HEDGE_MINIMUM_MS, usual * HEDGE_FACTOR));
    const timer = this.#runtime.clock.after(delayMs, () => {
      if (this.#undecided.size === 0) return;
      this.#counters.add('hedges');
      for (const replica of this.#asked) {
        if (!this.#answered.has(replica)) replica.latencyMs = Math.max(replica.latencyMs, delayMs * 2);
      }
      this.#askAllOthers();
      this.#evaluate();
    });
    const resolve = this.#resolve;
    this.#resolve = (result) => {
      timer.cancel();
      resolve(result);
    };
  }

  #ask(replica: Replica, boxes: readonly BallotBox[], carrying: ReadonlySet<BallotBox>): void {
    this.#asked.push(replica);
    for (const box of boxes) box.outstanding++;
    for (const box of carrying) box.senders++;
    void this.#cast(replica, boxes, carrying);
  }

  async #cast(replica: Replica, boxes: readonly BallotBox[], carrying: ReadonlySet<BallotBox>): Promise<void> {
    try {
      await ask(replica, boxes, carrying, this.#replies);
    } catch {
      // No answer is a ballot too; Replica.call has taken note of the failure itself.
      for (const box of boxes) if (!box.ballots.has(replica)) box.unreachable(replica);
    }
    this.#answered.add(replica);
    for (const box of boxes) {
      box.outstanding--;
      if (!this.#undecided.has(box)) this.#late(box, replica);
    }
    for (const box of carrying) box.senders--;
    this.#evaluate();
  }

  /** A ballot that arrived after the answer still counts, if there was one: without a winner nobody can be repaired. */
  #late(box: BallotBox, replica: Replica): void {
    if (box.data === null && box.wanted.length > 0) return;
    const ballot = box.ballots.get(replica);
    if (ballot !== undefined && dissents(ballot, box.wanted.reference.hash)) this.#observer.dissented(box, replica);
  }

  #askAllOthers(): void {
    const others = this.#unasked.splice(0);
    const boxes = [...this.#undecided];
    const withoutData = new Set(boxes.filter((box) => box.data === null));
    for (const [place, replica] of others.entries()) this.#ask(replica, boxes, place === 0 ? withoutData : NONE);
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

  /** The vote is won, but those who sent bytes lost it or sent other bytes than they voted for. */
  #fetch(box: BallotBox): void {
    const source = box.agreeing().find((replica) => replica.reachable && !this.#failedToSend(box, replica));
    if (source === undefined) {
      if (this.#unasked.length > 0) this.#askAllOthers();
      else this.#decide(box);
      return;
    }
    this.#fetched.set(box, (this.#fetched.get(box) ?? new Set()).add(source));
    this.#ask(source, [box], new Set([box]));
  }

  #failedToSend(box: BallotBox, replica: Replica): boolean {
    return this.#fetched.get(box)?.has(replica) ?? false;
  }

  #decide(box: BallotBox): void {
    this.#undecided.delete(box);
    if (box.data === null && box.wanted.length > 0) return;
    for (const replica of box.dissenters()) this.#observer.dissented(box, replica);
  }

  #finish(): void {
    if (this.#unasked.length > 0) this.#observer.unasked(this.#wanted, this.#unasked);
    const outcomes: ReadOutcome[] = [];
    for (const box of this.#boxes) {
      const isEmpty = box.wanted.length === 0 && box.agreeing().length >= this.#quorum;
      outcomes.push({ data: box.data ?? (isEmpty ? new Uint8Array(0) : null), box });
    }
    // Late replies are not among them: their memory is left to the garbage collector.
    const replies = [...this.#replies];
    this.#resolve({
      outcomes,
      release() {
        for (const reply of replies) giveBack(reply);
      },
    });
  }
}
