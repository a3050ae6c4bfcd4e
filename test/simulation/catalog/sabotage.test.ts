// What shows that the checks of the catalog under faults are worth something: each of these faults of a program is noticed.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Replica as LazyReplica } from '../../../src/catalog/lazy/replica.js';
import { Buckets } from '../../../src/catalog/quorum/buckets.js';
import { Gossip } from '../../../src/catalog/quorum/gossip.js';
import { Replica as QuorumReplica } from '../../../src/catalog/quorum/replica.js';
import { type ChaosOptions, runChaos } from './chaos.js';

interface Sabotage {
  what: string;
  protocol: ChaosOptions['protocol'];
  faults: ChaosOptions['faults'];
  /** @returns what puts the program right again */
  spoil?: () => () => void;
  isForgetful?: boolean;
  config?: ChaosOptions['config'];
  found: RegExp;
}

const SABOTAGES: readonly Sabotage[] = [
  {
    what: 'gossip that tells nothing',
    protocol: 'quorum',
    faults: ['kill'],
    spoil: () => replaced(Gossip.prototype, 'with', async () => true),
    found: /convergence/,
  },
  {
    what: 'servers that give everything, and take whatever comes last for the newest',
    protocol: 'quorum',
    faults: ['slow', 'split'],
    spoil: () => {
      const repairs = [
        replaced(QuorumReplica.prototype, 'absorb', function (this: QuorumReplica, key, entry) {
          if (key.startsWith('/')) this.tree.put(key, entry);
          return true;
        }),
        replaced(Buckets.prototype, 'differing', () => [0]),
        replaced(QuorumReplica.prototype, 'compare', function (this: QuorumReplica) {
          return { newerHere: [...this.tree.entries()].map(([key]) => key), newerThere: [] };
        }),
      ];
      return () => {
        for (const repair of repairs) repair();
      };
    },
    found: /order|convergence|durability/,
  },
  {
    what: 'quorums that do not overlap',
    protocol: 'quorum',
    faults: ['split', 'kill'],
    config: { readQuorum: 1, writeQuorum: 2 },
    found: /order/,
  },
  {
    what: 'a client that forgets what it has seen',
    protocol: 'lazy',
    faults: ['split', 'slow'],
    isForgetful: true,
    found: /sessions/,
  },
  {
    what: 'servers that take whatever comes last for the latest',
    protocol: 'lazy',
    faults: ['split', 'slow'],
    spoil: () => replaced(LazyReplica.prototype, 'entryOf', () => undefined),
    found: /convergence|sessions/,
  },
];

const MOST_SEEDS = 12;
const ROUNDS = 6;

describe('the catalog under faults notices', function () {
  this.timeout(120_000);

  for (const { what, spoil, found, ...options } of SABOTAGES) {
    it(what, async () => {
      const repair = spoil?.();
      try {
        await notice(options, found);
      } finally {
        repair?.();
      }
    });
  }
});

/** Throws unless some seed shows the fault. */
async function notice(options: Omit<Sabotage, 'what' | 'spoil' | 'found'>, found: RegExp): Promise<void> {
  for (let seed = 1; seed <= MOST_SEEDS; seed++) {
    try {
      await runChaos({ ...options, seed, rounds: ROUNDS });
    } catch (error) {
      assert.match(String(error), found);
      return;
    }
  }
  assert.fail(`not noticed by ${MOST_SEEDS} seeds`);
}

/** Replaces a method. @returns what puts it back */
function replaced<T extends object, K extends keyof T>(holder: T, name: K, value: T[K]): () => void {
  const original = holder[name];
  holder[name] = value;
  return () => {
    holder[name] = original;
  };
}
