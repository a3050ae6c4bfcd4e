// Reading by vote. Qr replicas are asked for their ballots, and each for a share
// of the bytes; all are asked when those do not agree or do not answer. Must
// return no byte that fewer than Qr replicas agree on, nor one that does not
// match the witness.
import type { Runtime } from '../../runtime/runtime.js';
import type { Counters } from '../counters.js';
import type { Replica } from '../replicas/replica.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import type { MediatorSettings } from '../settings.js';
import { ask } from './ask.js';
import { BallotBox, type Wanted } from './ballot-box.js';
import { HEDGE_FACTOR, HEDGE_MINIMUM_MS, type ReadObserver, type ReadResult, ReadSession } from './read-session.js';

/**
 * Neighbouring blocks for which the same replicas are asked first: 256 MiB of a file with the default block size. With 16 MiB, a
 * cold sequential read took a tenth longer, since read-ahead had to begin anew on other disks.
 */
const STRETCH_BLOCKS = 2048;

interface Dependencies {
  replicas: ReplicaSet;
  settings: MediatorSettings;
  observer: ReadObserver;
  counters: Counters;
  runtime: Runtime;
}

export class Reader {
  readonly #replicas: ReplicaSet;
  readonly #settings: MediatorSettings;
  readonly #sessionParts: Pick<Dependencies, 'observer' | 'counters' | 'runtime'>;

  constructor({ replicas, settings, observer, counters, runtime }: Dependencies) {
    this.#replicas = replicas;
    this.#settings = settings;
    this.#sessionParts = { observer, counters, runtime };
  }

  /** How many equal ballots win, as configured now. */
  get quorum(): number {
    return this.#settings.readQuorum;
  }

  /** Reads many ranges of blocks at once; never rejects. */
  read(wanted: readonly Wanted[]): Promise<ReadResult> {
    this.#sessionParts.counters.add('votes', wanted.length);
    return new ReadSession(wanted, this.#candidates(wanted), this.quorum, this.#sessionParts).run();
  }

  /** Asks all replicas for their ballots, for which each hashes all bytes of the blocks. Reports no dissenters to the observer. */
  async poll(wanted: readonly Wanted[]): Promise<BallotBox[]> {
    this.#sessionParts.counters.add('votes', wanted.length);
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
   * The reachable replicas in the order in which to ask them: complete ones before others, fast ones before slow ones. Equals
   * take turns, from one stretch of a file to the next, so that a sequential read stays on disks that read ahead.
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
