// The suite that every mount must pass, over real servers: what the files in
// memory of the conformance run take for granted (votes, block maps, commits) is real here.
import { before, describe } from 'mocha';
import { mountCases } from '../conformance/mount-cases.js';
import { mountSuite } from '../conformance/mount-suite.js';
import { Cluster } from '../support/cluster.js';
import { requireFuse } from '../support/require-fuse.js';

describe('the mount of a real cluster', () => {
  before(function () {
    requireFuse(this);
  });
  const factory = async () => {
    const cluster = await Cluster.start({ servers: 3, readQuorum: 2, writeQuorum: 2 });
    return { directory: cluster.mountPoint, done: () => cluster.destroy() };
  };
  // The real tree has more names, and the time for them.
  const cases = mountCases.filter(({ name }) => !name.startsWith('three thousand names'));
  mountSuite('as a directory', factory, [], cases);
});
