// The cores that elect a leader, as groups on a simulated network.
import { describe } from 'mocha';
import { coreSuite } from './core-suite.js';
import { makeRaft, makeViewstamped } from './make-cores.js';
import { membershipSuite } from './membership-suite.js';

for (const [protocol, make] of Object.entries({ raft: makeRaft, viewstamped: makeViewstamped })) {
  describe(protocol, () => {
    coreSuite(make, 20, 1);
    membershipSuite(make);
  });
}
