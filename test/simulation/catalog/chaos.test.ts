// The catalog under faults that a seed decides: each protocol keeps what it promises, and only that.
import { randomInt } from 'node:crypto';
import { describe, it } from 'mocha';
import { type Fault, runChaos } from './chaos.js';

const ALL: readonly Fault[] = ['kill', 'power', 'stop', 'split', 'one way', 'slow'];
const FIRST_SEED = Number(process.env.NMRFS_CATALOG_SEED ?? (process.env.CI === 'true' ? randomInt(1, 2 ** 30) : 1));
const SEEDS = Number(process.env.NMRFS_CATALOG_SEEDS ?? 2);
const ROUNDS = 6;

describe('the catalog under faults', function () {
  this.timeout(SEEDS * 60_000);

  for (const [protocol, faults] of [
    ['raft', ALL],
    ['viewstamped', ALL],
    // Whoever is silent counts as dead: servers that live must be heard.
    ['primary-backup', ['kill', 'power']],
    ['quorum', ALL],
    ['lazy', ALL],
  ] as const) {
    it(`${protocol} keeps its promise: ${SEEDS} seeds from ${FIRST_SEED}`, async () => {
      for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
        await runChaos({ protocol, seed, faults, rounds: ROUNDS });
      }
    });
  }
});
