// Read repair: versions that some replica lacks or holds wrongly, as a vote has
// shown, wait here and are repaired in the background, a few at a time.
import type { MetadataService } from '../../protocol/services/metadata.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import { isNamed } from '../metadata/named-versions.js';
import type { Replica } from '../replicas/replica.js';
import type { BallotBox } from '../voting/ballot-box.js';
import { blamed, type LostBallot } from '../voting/blame.js';
import { keyOf, type LocatedBlock, type Repairer, recordOutcome } from './repair.js';

const CONCURRENT_REPAIRS = 4;
/** Beyond it new ones are dropped, for the next read or scrub to find again. */
const MAXIMUM_WAITING = 10_000;

interface Task {
  block: LocatedBlock;
  lost: Map<Replica, LostBallot>;
  /** When the first of them lost, on the monotonic clock. */
  foundMs: number;
}

interface Dependencies {
  repairer: Repairer;
  metadata: MetadataService;
  runtime: Runtime;
}

export class RepairQueue {
  readonly #waiting = new Map<string, Task>();
  readonly #running = new Map<string, Task>();
  #closed = false;

  readonly #repairer: Repairer;
  readonly #metadata: MetadataService;
  readonly #runtime: Runtime;

  constructor({ repairer, metadata, runtime }: Dependencies) {
    this.#repairer = repairer;
    this.#metadata = metadata;
    this.#runtime = runtime;
  }

  /** Has a replica repaired that lost the vote. It is queued once, however often it loses until it is repaired. */
  add(box: BallotBox, replica: Replica): void {
    const { inode, reference } = box.wanted;
    const { index, version, hash, length } = reference;
    const block = { inode, index, version, hash, length };
    const key = keyOf(block);
    const ballot = box.lostBallot(replica);
    if (this.#closed || ballot === undefined) return;
    if (this.#running.get(key)?.lost.has(replica) || this.#repairer.isRepairing(block, replica)) return;
    // The vote of the repair itself would queue it again, for as long as it refuses.
    if (this.#repairer.isRefusing(replica)) return;
    const task = this.#waiting.get(key) ?? { block, lost: new Map(), foundMs: this.#runtime.clock.monotonicMs() };
    task.lost.set(replica, ballot);
    if (this.#waiting.size < MAXIMUM_WAITING) this.#waiting.set(key, task);
    this.#startNext();
  }

  /** Versions whose repair waits or is under way, by whomever it was started. */
  get size(): number {
    return this.#waiting.size + this.#repairer.size;
  }

  close(): void {
    this.#closed = true;
    this.#waiting.clear();
  }

  #startNext(): void {
    for (const [key, task] of this.#waiting) {
      if (this.#running.size >= CONCURRENT_REPAIRS) return;
      if (this.#running.has(key)) continue;
      this.#waiting.delete(key);
      this.#running.set(key, task);
      this.#repair(task)
        .catch((error: unknown) => {
          rethrowProgramFault(error);
          this.#runtime.log.warn('repair.failed', { ...fieldsOf(task), ...errorFields(error) });
        })
        .finally(() => {
          this.#running.delete(key);
          this.#startNext();
        });
    }
  }

  async #repair(task: Task): Promise<void> {
    const { block, lost, foundMs } = task;
    // If the version was replaced or removed, garbage collection may have deleted it before the replicas were asked.
    if (!(await isNamed(this.#metadata, block))) return;
    const wrong = await blamed(this.#metadata, block, lost);
    const outcome = await this.#repairer.repair(block, [...lost.keys()]);
    recordOutcome(this.#runtime.log, block, wrong, outcome, {
      afterMs: this.#runtime.clock.monotonicMs() - foundMs,
    });
    if (outcome.state === 'no-quorum') this.#runtime.log.error('repair.impossible', fieldsOf(task));
  }
}

function fieldsOf({ block: { inode, index, version } }: Task): Record<string, unknown> {
  return { inode, index, version };
}
