// Random operations on the mount of a cluster of their own, with faults of its
// data servers where they are asked for. At the end all files are compared
// again without caches, and after a remount; and all replicas must be equal.
import { SeededRandom } from '../simulation/world/seeded-random.js';
import { Cluster, run } from '../support/cluster.js';
import { Faults } from './faults.js';
import { RandomFiles } from './random-files.js';
import { type Shape, shapeOf } from './shapes.js';

/** Short, so that a server that hangs is soon done without. */
const DEADLINE_MS = 1000;

export interface ClusterRunOptions {
  seed: number;
  /** 0: until `isOver` says so. */
  operations: number;
  files: number;
  faults: boolean;
  isOver?: () => boolean;
  /** Called before each operation. */
  beforeStep?: (number: number, cluster: Cluster) => Promise<void>;
  onLine?: (line: string) => void;
  /** Called with a cluster's folder when the run has failed; it is left there then. */
  onFailure?: (folder: string) => void;
}

/** Answers how many operations ran. Throws an error that tells how to repeat the run. */
export async function runOnCluster(options: ClusterRunOptions): Promise<number> {
  const { seed, files, faults: withFaults, onLine = () => undefined } = options;
  const shape = shapeOf(seed);
  let cluster = await Cluster.start(clusterOptions(shape));
  // Not of the operations' own source: these are the same with and without faults.
  const faults = new Faults(new SeededRandom(seed ^ 0xfa17), cluster, shape, onLine);
  const randomFiles = new RandomFiles({
    seed,
    files,
    directory: cluster.mountPoint,
    blockSizeBytes: shape.blockSizeBytes,
    direct: true,
    onLine,
    beforeStep: async (number) => {
      if (withFaults) await faults.before(number, [...randomFiles.model.names.keys()].sort());
      await options.beforeStep?.(number, cluster);
    },
  });
  let failed = true;
  try {
    const goesOn = () => options.operations === 0 || randomFiles.operations < options.operations;
    while (goesOn() && !options.isOver?.()) await randomFiles.step();
    await faults.heal();
    await randomFiles.compareAll();
    await run('bash', ['-c', 'echo 3 > /proc/sys/vm/drop_caches'], '/');
    await randomFiles.compareAll();
    await cluster.stop();
    cluster = await Cluster.resume(cluster.folder);
    await randomFiles.moveTo(cluster.mountPoint);
    await randomFiles.compareAll();
    await cluster.untilEqual(...Array.from({ length: shape.servers }, (_, index) => `data${index + 1}`));
    failed = false;
    return randomFiles.operations;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const again = command({ ...options, operations: randomFiles.operations });
    throw new Error(`seed ${seed}, ${message}\nagain: ${again}`, { cause: error });
  } finally {
    await faults.end();
    await randomFiles.end();
    if (failed && options.onFailure !== undefined) {
      await cluster.stop();
      options.onFailure(cluster.folder);
    } else {
      await cluster.destroy();
    }
  }
}

/** The command line that repeats a run. */
function command({ seed, operations, files, faults }: ClusterRunOptions): string {
  return `npm run fsx -- --seed ${seed} --operations ${operations} --files ${files}${faults ? ' --faults' : ''}`;
}

function clusterOptions({ servers, readQuorum, writeQuorum, onWriteQuorumLost, audit, blockSizeBytes }: Shape) {
  const extraConfig = [
    `onWriteQuorumLost: ${onWriteQuorumLost}`,
    `audit: ${audit}`,
    `blockSize: ${blockSizeBytes}`,
    `deadlineMs: ${DEADLINE_MS}`,
  ].join('\n');
  return { servers, readQuorum, writeQuorum, extraConfig };
}
