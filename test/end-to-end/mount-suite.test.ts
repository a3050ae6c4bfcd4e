// The suite that every mount must pass, over real servers: what the files in
// memory of the conformance run take for granted (votes, block maps, commits) is real here.
import { before, describe } from 'mocha';
import { mountSuite } from '../conformance/mount-suite.js';
import { Cluster } from '../support/cluster.js';
import { requireFuse } from '../support/require-fuse.js';

describe('the mount of a real cluster', () => {
  before(function () {
    requireFuse(this);
  });
  mountSuite('as a directory', async () => {
    const cluster = await Cluster.start({ servers: 3, readQuorum: 2, writeQuorum: 2 });
    return { directory: cluster.mountPoint, done: () => cluster.destroy() };
  });
});
