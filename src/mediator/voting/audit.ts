// The audit (`audit: all`): replicas that a read did not ask are asked for their
// ballots later, while the mediator has no requests. So every read checks every
// live replica and slows no request.
import type { BlockReference } from '../../protocol/services/metadata.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Counters } from '../counters.js';
import type { Replica } from '../replicas/replica.js';
import { ask } from './ask.js';
import { BallotBox, type Wanted } from './ballot-box.js';
import { dissents } from './vote.js';

/** Blocks asked for in one message. */
const BATCH_BLOCKS = 16;
/** With more waiting blocks for a replica, the audit does not wait for a pause. */
const PATIENCE_BLOCKS = 8192;
/** With more, the oldest are dropped: a replica that can't keep up is left to scrub. */
const MAXIMUM_WAITING_BLOCKS = 2 * PATIENCE_BLOCKS;
/** It is a pause when no request has come for so long. */
const PAUSE_MS = 10;
/** After so long one batch goes to each replica, pause or not. */
const MAXIMUM_WAIT_MS = 1000;

export class Auditor {
  /** Keyed by the block map's entries. One that it has loaded anew is another object, and its block is asked for twice. */
  readonly #waiting = new Map<Replica, Map<BlockReference, Wanted>>();
  readonly #running = new Set<Replica>();
  #readers = 0;
  #reads = 0;
  /** Requests and reads at the start of PAUSE_MS: equal at its end, it is a pause. */
  #seen = 0;
  /** When the next batch goes, pause or not. */
  #dueMs = 0;
  /** Runs while it waits for a pause. */
  #timer: { cancel(): void } | null = null;
  #closed = false;

  readonly #dissented: (box: BallotBox, replica: Replica) => void;
  readonly #requests: () => number;
  readonly #counters: Counters;
  readonly #runtime: Runtime;

  /** @param requests how many requests other than reads there have been so far */
  constructor(
    dissented: (box: BallotBox, replica: Replica) => void,
    requests: () => number,
    counters: Counters,
    runtime: Runtime,
  ) {
    this.#dissented = dissented;
    this.#requests = requests;
    this.#counters = counters;
    this.#runtime = runtime;
  }

  /** Ballots that are still to be asked for. */
  get size(): number {
    let sum = 0;
    for (const queue of this.#waiting.values()) sum += queue.size;
    return sum;
  }

  /** Reads that have begun so far. */
  get reads(): number {
    return this.#reads;
  }

  /** A reader begins to wait. */
  readerStarts(): void {
    this.#readers++;
    this.#reads++;
  }

  /** A reader has its answer. */
  readerEnds(): void {
    this.#readers--;
  }

  /** Has these replicas asked for their ballots on these blocks later. */
  add(wanted: readonly Wanted[], replicas: readonly Replica[]): void {
    if (this.#closed) return;
    if (this.#waiting.size === 0) this.#postpone();
    for (const replica of replicas) {
      let queue = this.#waiting.get(replica);
      if (queue === undefined) {
        queue = new Map();
        this.#waiting.set(replica, queue);
      }
      for (const each of wanted) {
        const waiting = queue.get(each.reference);
        queue.set(each.reference, waiting === undefined ? each : around(waiting, each));
      }
      const surplus = [...take(queue, queue.size - MAXIMUM_WAITING_BLOCKS)].length;
      if (surplus > 0) this.#counters.add('unauditedBallots', surplus);
    }
    this.#pump(false);
    this.#awaitPause();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#waiting.clear();
  }

  #awaitPause(): void {
    if (this.#closed || this.#timer !== null || this.#waiting.size === 0) return;
    this.#seen = this.#requests() + this.#reads;
    this.#timer = this.#runtime.clock.after(PAUSE_MS, () => {
      this.#timer = null;
      if (this.#isPause || this.#runtime.clock.monotonicMs() >= this.#dueMs) this.#pump(true);
      else this.#awaitPause();
      if (this.#running.size === 0) this.#awaitPause();
    });
  }

  get #isPause(): boolean {
    return this.#readers === 0 && this.#requests() + this.#reads === this.#seen;
  }

  #postpone(): void {
    this.#dueMs = this.#runtime.clock.monotonicMs() + MAXIMUM_WAIT_MS;
  }

  #pump(mayRun: boolean): void {
    for (const [replica, queue] of this.#waiting) {
      if (this.#running.has(replica) || !(mayRun || queue.size > PATIENCE_BLOCKS)) continue;
      if (!replica.reachable) {
        // What a server that is down would be asked is dropped: later reads and scrubs ask it again.
        this.#waiting.delete(replica);
        continue;
      }
      const batch = [...take(queue, BATCH_BLOCKS)];
      if (queue.size === 0) this.#waiting.delete(replica);
      this.#running.add(replica);
      this.#postpone();
      void this.#askBatch(replica, batch).finally(() => {
        this.#running.delete(replica);
        if (this.#closed) return;
        const isPause = this.#timer === null && this.#isPause;
        this.#pump(isPause);
        if (!isPause || this.#running.size === 0) this.#awaitPause();
      });
    }
  }

  async #askBatch(replica: Replica, batch: readonly Wanted[]): Promise<void> {
    const boxes = batch.map((wanted) => new BallotBox(wanted));
    try {
      await ask(replica, boxes);
    } catch (error) {
      this.#runtime.log.debug('audit.unanswered', { server: replica.name, ...errorFields(error) });
      return;
    }
    this.#counters.add('auditedBallots', boxes.length);
    for (const box of boxes) {
      const ballot = box.ballots.get(replica);
      if (ballot !== undefined && dissents(ballot, box.wanted.reference.hash)) this.#dissented(box, replica);
    }
  }
}

/** The smallest range that contains both. */
function around(one: Wanted, other: Wanted): Wanted {
  const offset = Math.min(one.offset, other.offset);
  const end = Math.max(one.offset + one.length, other.offset + other.length);
  return { inode: one.inode, reference: one.reference, offset, length: end - offset };
}

/** Takes up to `count` values out of a map, the oldest first. */
function* take<K, V>(queue: Map<K, V>, count: number): Generator<V> {
  let taken = 0;
  for (const [key, value] of queue) {
    if (taken++ >= count) return;
    queue.delete(key);
    yield value;
  }
}
