// The cores that elect a leader, as groups on a simulated network.
import { describe } from 'mocha';
import { coreSuite } from './core-suite.js';
import { makeRaft } from './make-cores.js';

describe('raft', () => {
  coreSuite(makeRaft, 20, 1);
});
