// The cores that elect a leader, as groups on a simulated network.
import { describe } from 'mocha';
import { coreSuite } from './core-suite.js';
import { makeRaft, makeViewstamped } from './make-cores.js';

describe('raft', () => {
  coreSuite(makeRaft, 20, 1);
});

describe('viewstamped', () => {
  coreSuite(makeViewstamped, 20, 1);
});
