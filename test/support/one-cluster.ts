// One cluster for all cases of a describe.
import { after, before } from 'mocha';
import { Cluster, type ClusterOptions } from './cluster.js';
import { requireFuse } from './require-fuse.js';

/** Starts before the first case, and goes away after the last whatever has happened. A case may put another in its place. */
export function oneCluster(options: ClusterOptions): { cluster: Cluster } {
  let cluster: Cluster | undefined;
  before(async function () {
    requireFuse(this);
    cluster = await Cluster.start(options);
  });
  after(async () => {
    await cluster?.destroy();
  });
  return {
    get cluster() {
      if (cluster === undefined) throw new Error('the cluster has not started');
      return cluster;
    },
    set cluster(other) {
      cluster = other;
    },
  };
}
