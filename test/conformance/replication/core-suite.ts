// What every core that elects a leader must do, under faults that a seed decides.
import assert from 'node:assert/strict';
import { after, it } from 'mocha';
import { type Faults, NO_FAULTS } from './faults.js';
import { ELECTION_TICKS } from './make-cores.js';
import { SimulatedGroup, type Tamper } from './simulated-group.js';
import type { MakeCore } from './simulated-member.js';

/** Long enough for some elections in a row. */
const RECOVERY_UNITS = 40 * ELECTION_TICKS;
/** A run takes well below a second where nothing else runs; machines are busy at times. */
const RUN_TIMEOUT_MS = 3000;

const KINDS: Record<string, Faults> = {
  'no faults': NO_FAULTS,
  'a lossy network': { ...NO_FAULTS, loss: 0.2, repetition: 0.1, longestDelay: 6, longestWrite: 3 },
  crashes: { ...NO_FAULTS, longestDelay: 3, longestWrite: 4, crash: 0.02 },
  'crashes, damaged disks and wiped disks': {
    ...NO_FAULTS,
    longestDelay: 3,
    longestWrite: 4,
    crash: 0.02,
    damage: 0.3,
    wipe: 0.002,
    membership: 0.05,
  },
  partitions: { ...NO_FAULTS, longestDelay: 3, longestWrite: 2, partition: 0.02, transfer: 0.01 },
  'cuts in a quick network': { ...NO_FAULTS, longestDelay: 0, longestWrite: 0, partition: 0.04 },
  'members that come and go': { ...NO_FAULTS, longestDelay: 3, longestWrite: 2, membership: 0.05, transfer: 0.01 },
  'crashes in the midst of elections': {
    ...NO_FAULTS,
    repetition: 0.5,
    longestDelay: 5,
    longestWrite: 0,
    crash: 0.2,
    quickRestart: 1,
    transfer: 0.3,
  },
  'damaged disks while links are cut': {
    ...NO_FAULTS,
    longestDelay: 3,
    longestWrite: 4,
    crash: 0.05,
    damage: 0.5,
    partition: 0.05,
  },
  'members that come and go while links are cut': {
    ...NO_FAULTS,
    longestDelay: 3,
    longestWrite: 2,
    membership: 0.3,
    partition: 0.05,
  },
  everything: {
    ...NO_FAULTS,
    loss: 0.1,
    repetition: 0.05,
    longestDelay: 5,
    longestWrite: 4,
    crash: 0.02,
    damage: 0.2,
    wipe: 0.002,
    partition: 0.02,
    membership: 0.03,
    transfer: 0.01,
  },
};

export interface Run {
  kind: string;
  seed: number;
  size: number;
  units: number;
}

export const FAULT_KINDS = Object.keys(KINDS);

/** Runs a group under faults, heals it, and sees that it goes on with all that was committed. */
export function runGroup(make: MakeCore, { kind, seed, size, units }: Run, tamper: Tamper = {}): SimulatedGroup {
  const faults = KINDS[kind] ?? assert.fail(kind);
  const group = new SimulatedGroup({ seed, size, make, faults, electionTicks: ELECTION_TICKS, tamper });
  group.run(units);
  group.heal();
  group.run(RECOVERY_UNITS);
  const { leader } = group;
  assert(leader !== undefined, 'a healed group has a leader');
  const before = group.invariants.committed;
  const index = group.propose(leader);
  assert(index !== null, 'the leader of a healed group takes proposals');
  const isApplied = () => group.current.every(({ applied }) => applied.mark.index >= index);
  group.runUntil(() => group.invariants.committed > before && isApplied(), RECOVERY_UNITS);
  assert(group.invariants.committed > before, 'what is proposed to a healed group is committed');
  for (const member of group.current) {
    assert(member.applied.mark.index >= index, `${member.id} has applied ${member.applied.mark.index} of ${index}`);
  }
  return group;
}

/**
 * @param runs for each kind of faults
 * @param kinds those that the protocol promises to survive
 */
export function coreSuite(
  make: MakeCore,
  runs: number,
  firstSeed: number,
  kinds: readonly string[] = FAULT_KINDS,
): void {
  let done = 0;
  let steps = 0;
  after(() => console.log(`    ${done} runs of ${steps} steps in all`));
  for (const kind of kinds) {
    it(`keeps what it has committed, and goes on, with ${kind}: ${runs} seeds from ${firstSeed}`, function () {
      this.timeout(runs * RUN_TIMEOUT_MS);
      for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
        const size = 1 + (seed % 7);
        try {
          steps += runGroup(make, { kind, seed, size, units: 1000 }).steps;
          done++;
        } catch (error) {
          throw new Error(`seed ${seed}, ${size} members`, { cause: error });
        }
      }
    });
  }
}
