// The audit: ballots of replicas that a read did not need for its answer,
// asked for afterwards, while no reader is waiting. Under `audit: all` this
// makes every read check every live replica without slowing the reader.
import type { Runtime } from '../runtime/runtime.js';
import { BallotBox, type Wanted } from './ballot-box.js';
import type { Counters } from './counters.js';
import { ask } from './reader.js';
import type { Replica } from './replica.js';
import { dissents } from './vote.js';

/** Blocks asked for in one message. */
const BATCH_BLOCKS = 16;
/** Beyond this many waiting blocks per replica the audit no longer waits for readers to pause. */
const PATIENCE_BLOCKS = 8192;
/** Readers count as pausing when none has read for so long. */
const PAUSE_MS = 10;

export class Auditor {
  readonly #waiting = new Map<Replica, Map<string, Wanted>>();
  readonly #running = new Set<Replica>();
  #readers = 0;
  #pauseTimer: { cancel(): void } | null = null;
  #closed = false;

  constructor(
    private readonly dissented: (box: BallotBox, replica: Replica) => void,
    private readonly counters: Counters,
    private readonly runtime: Runtime,
  ) {}

  /** A reader begins to wait. */
  readerStarts(): void {
    this.#readers++;
    this.#pauseTimer?.cancel();
    this.#pauseTimer = null;
  }

  /** A reader has its answer. */
  readerEnds(): void {
    this.#readers--;
    if (this.#readers > 0 || this.#closed || this.#waiting.size === 0) return;
    this.#pauseTimer?.cancel();
    this.#pauseTimer = this.runtime.clock.after(PAUSE_MS, () => {
      this.#pauseTimer = null;
      this.#pump();
    });
  }

  /** These replicas were not needed for these blocks: their ballots are asked for later. */
  add(wanted: readonly Wanted[], replicas: readonly Replica[]): void {
    if (this.#closed) return;
    for (const replica of replicas) {
      let queue = this.#waiting.get(replica);
      if (queue === undefined) {
        queue = new Map();
        this.#waiting.set(replica, queue);
      }
      for (const each of wanted) {
        queue.set(
          `${each.inode}/${each.reference.index}/${each.reference.version}/${each.offset}/${each.length}`,
          each,
        );
      }
    }
    this.#pump();
  }

  close(): void {
    this.#closed = true;
    this.#pauseTimer?.cancel();
    this.#waiting.clear();
  }

  #pump(): void {
    for (const [replica, queue] of this.#waiting) {
      if (this.#running.has(replica)) continue;
      const mayRun = (this.#readers === 0 && this.#pauseTimer === null) || queue.size > PATIENCE_BLOCKS;
      if (!mayRun) continue;
      if (!replica.reachable) {
        // A server that is down casts no ballot; when it is back, reads and scrubs ask it again.
        this.#waiting.delete(replica);
        continue;
      }
      const batch = [...take(queue, BATCH_BLOCKS)];
      if (queue.size === 0) this.#waiting.delete(replica);
      this.#running.add(replica);
      void this.#askBatch(replica, batch).finally(() => {
        this.#running.delete(replica);
        if (!this.#closed) this.#pump();
      });
    }
  }

  async #askBatch(replica: Replica, batch: readonly Wanted[]): Promise<void> {
    const boxes = batch.map((wanted) => new BallotBox(wanted));
    try {
      await ask(replica, boxes, () => false);
    } catch (error) {
      this.runtime.log.debug('audit.unanswered', { server: replica.name, reason: String(error) });
      return;
    }
    this.counters.add('auditedBallots', boxes.length);
    for (const box of boxes) {
      const ballot = box.ballots.get(replica);
      if (ballot !== undefined && dissents(ballot, box.wanted.reference.hash)) this.dissented(box, replica);
    }
  }
}

/** Takes up to `count` values out of a map, the oldest first. */
function* take<T>(queue: Map<string, T>, count: number): Generator<T> {
  let taken = 0;
  for (const [key, value] of queue) {
    if (taken++ >= count) return;
    queue.delete(key);
    yield value;
  }
}
