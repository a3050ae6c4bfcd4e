// The cores that elect a leader, as groups on a simulated network.
import { randomInt } from 'node:crypto';
import { describe } from 'mocha';
import { coreSuite } from './core-suite.js';
import { makeRaft, makeViewstamped } from './make-cores.js';
import { membershipSuite } from './membership-suite.js';

/** In CI other ones in each run, and those from NMRFS_GROUP_SEED on where that is set; the tests' names say which. */
const FIRST_SEED = Number(process.env.NMRFS_GROUP_SEED ?? (process.env.CI === 'true' ? randomInt(1, 2 ** 30) : 1));
/** Of each kind of faults. */
const SEEDS = Number(process.env.NMRFS_GROUP_SEEDS ?? 20);

for (const [protocol, make] of Object.entries({ raft: makeRaft, viewstamped: makeViewstamped })) {
  describe(protocol, () => {
    coreSuite(make, SEEDS, FIRST_SEED);
    membershipSuite(make);
  });
}
