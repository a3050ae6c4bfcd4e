// Seeds of the simulation as tests: faults within the promise, faults beyond
// it, the same run for the same seed, and servers that are wrong on purpose.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, it } from 'mocha';
import type { ClusterShape } from './cluster-shape.js';
import { SABOTAGES } from './sabotage.js';
import { shapeFor } from './shapes.js';
import { Simulation, type SimulationOptions, type SimulationResult } from './simulation.js';

const STEPS = 500;
/** In CI other ones in each run, and those from NMRFS_SIMULATION_SEED on where that is set; the tests' names say which. */
const FIRST_SEED = Number(process.env.NMRFS_SIMULATION_SEED ?? (process.env.CI === 'true' ? randomInt(1, 2 ** 30) : 1));
const SAFE_SEEDS = 40;
const BEYOND_SEEDS = 12;
const EARLY_SEEDS = 16;
const EARLY = { answersEarly: true, mediators: 1 };
/** A run takes well below a second where nothing else runs; machines are busy at times. */
const RUN_TIMEOUT_MS = 60_000;
/** Within so many seeds everything that is wrong on purpose must be noticed. */
const SABOTAGE_SEEDS = 60;
/** Of one that takes many seeds, on a busy machine. */
const SABOTAGE_TIMEOUT_MS = 240_000;

function run(seed: number, mode: SimulationOptions['mode'], rest: Partial<SimulationOptions> = {}) {
  return new Simulation({ seed, steps: STEPS, mode, shape: shapeFor(seed), ...rest }).run();
}

function mustPass(
  seed: number,
  mode: string,
  { failure, trace }: SimulationResult,
  fixed: Partial<ClusterShape> = {},
): void {
  if (failure === null) return;
  const { servers, readQuorum, writeQuorum, metaservers, mediators, answersEarly } = shapeFor(seed, fixed);
  const quorums = `--servers ${servers} --read-quorum ${readQuorum} --write-quorum ${writeQuorum}`;
  const control = `--metaservers ${metaservers} --mediators ${mediators}${answersEarly ? ' --early' : ''}`;
  const again = `npm run simulate -- --seed ${seed} --steps ${STEPS} --mode ${mode} ${quorums} ${control}`;
  assert.fail(`${trace.join('\n')}\nstep ${failure.step}: ${failure.message}\nagain: ${again}`);
}

describe('the simulated cluster', function () {
  this.timeout(RUN_TIMEOUT_MS);

  for (let seed = FIRST_SEED; seed < FIRST_SEED + SAFE_SEEDS; seed++) {
    it(`seed ${seed}: loses nothing and comes back from every fault that it promises to survive`, async () => {
      mustPass(seed, 'safe', await run(seed, 'safe'));
    });
  }

  for (let seed = FIRST_SEED + 100; seed < FIRST_SEED + 100 + BEYOND_SEEDS; seed++) {
    it(`seed ${seed}: refuses rather than show a wrong byte when more goes wrong than it promises to survive`, async () => {
      mustPass(seed, 'beyond', await run(seed, 'beyond'));
    });
  }

  for (let seed = FIRST_SEED + 200; seed < FIRST_SEED + 200 + EARLY_SEEDS; seed++) {
    it(`seed ${seed}: loses nothing that was synced when the mediator answers before the metaserver`, async () => {
      const shape = shapeFor(seed, EARLY);
      mustPass(seed, 'safe', await run(seed, 'safe', { shape }), EARLY);
    });
  }

  it('runs the same way for the same seed, and another way for another', async () => {
    const one = await run(7, 'safe');
    const same = await run(7, 'safe');
    const other = await run(8, 'safe');
    assert.equal(same.digest, one.digest);
    assert.deepEqual(same.trace, one.trace);
    assert.notEqual(other.digest, one.digest);
  });
});

describe("the simulation's checks", function () {
  this.timeout(SABOTAGE_TIMEOUT_MS);

  for (const [name, sabotage] of Object.entries(SABOTAGES)) {
    it(`notice ${name}`, async () => {
      const { metaservers = 1, mediators = 1, answersEarly = false, seed: first = SABOTAGE_SEEDS } = sabotage;
      for (let turn = 0; turn < SABOTAGE_SEEDS; turn++) {
        const seed = ((first - 1 - turn + SABOTAGE_SEEDS) % SABOTAGE_SEEDS) + 1;
        const shape = shapeFor(seed, { metaservers, mediators, answersEarly });
        const { failure } = await run(seed, 'safe', { sabotage, shape });
        if (failure !== null) return;
      }
      assert.fail(`not noticed by ${SABOTAGE_SEEDS} seeds`);
    });
  }
});
