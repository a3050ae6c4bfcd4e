// What operations on names take in a tree of a thousand to a million files, and what the servers of names take for it.
import { join } from 'node:path';
import type { Cluster } from '../../../test/support/cluster.js';
import type { Series } from '../figures.js';
import { fillNames, makeDirectory } from '../fill.js';
import { anyOf, numbered } from '../jobs.js';
import { Servers } from '../processor.js';
import type { Services } from '../services.js';
import { Stage } from '../stage.js';
import { type Job, type Point, takeTurns } from '../turns.js';
import { databaseMebibytes, type Footprint, memoryOfServer } from './footprint.js';
import { type Measure, USUAL_SERVERS } from './measured.js';

const FILES_OF_A_FOLDER = 1_000;

export const measureFiles: Measure = (sizes, progress) =>
  Stage.with(async (stage) => {
    const points: Point[] = [];
    const clusters: Cluster[] = [];
    for (const files of sizes.treeFiles) {
      progress(`filling a tree with ${files} files`);
      const cluster = await stage.cluster({ servers: USUAL_SERVERS });
      await fillTree(await stage.services(cluster), files);
      points.push(await stage.pointOf(files, cluster));
      clusters.push(cluster);
    }
    const files = await takeTurns(points, jobs(sizes.nameOperations), { rounds: sizes.rounds, progress });
    return { files, tree: { points: sizes.treeFiles, series: await footprints(clusters) } };
  });

/** After the jobs. */
async function footprints(clusters: readonly Cluster[]): Promise<Series[]> {
  const metaservers: Footprint[] = [];
  const mediators: Footprint[] = [];
  const databases: number[] = [];
  for (const { configFile, folder } of clusters) {
    const servers = await Servers.of(configFile);
    metaservers.push(await memoryOfServer(servers, 'meta1'));
    mediators.push(await memoryOfServer(servers, 'mediator'));
    databases.push(await databaseMebibytes(join(folder, 'data', 'meta1')));
  }
  const series = (name: string, values: number[]) => ({ name, unit: 'MiB', rounds: values.map((value) => [value]) });
  return [
    series(
      'the metaserver, its own',
      metaservers.map(({ own }) => own),
    ),
    series(
      'the metaserver, mapped files',
      metaservers.map(({ mapped }) => mapped),
    ),
    series(
      'the mediator, its own',
      mediators.map(({ own }) => own),
    ),
    series('database of the metaserver', databases),
  ];
}

async function fillTree(services: Services, files: number): Promise<void> {
  const tree = await makeDirectory(services, 'tree');
  for (let folder = 0; folder * FILES_OF_A_FOLDER < files; folder++) {
    const parent = await makeDirectory(services, String(folder), tree);
    await fillNames(services, parent, 0, Math.min(FILES_OF_A_FOLDER, files - folder * FILES_OF_A_FOLDER));
  }
  await services.sync();
}

function jobs(operations: number): Job[] {
  /** In the first folder of the tree: the path is as long, and the directory as large, at every point. */
  const tree = ({ mountPoints: [mountPoint] }: Point) => `${mountPoint}/tree`;
  const fresh = (point: Point) => numbered(`${tree(point)}/0/new-`, operations);
  return [
    {
      ...{ name: 'create', unit: '/s', cold: false },
      works: (point) => [{ kind: 'create', paths: fresh(point), bytes: 0 }],
    },
    {
      ...{ name: 'stat in one directory, cold', unit: '/s', cold: true },
      works: (point) => [
        { kind: 'stat', paths: numbered(`${tree(point)}/0/`, Math.min(operations, FILES_OF_A_FOLDER)) },
      ],
    },
    {
      ...{ name: 'stat anywhere, cold', unit: '/s', cold: true },
      works: (point) => [{ kind: 'stat', paths: anywhere(tree(point), point.x, operations) }],
    },
    {
      ...{ name: 'unlink', unit: '/s', cold: false },
      works: (point) => [{ kind: 'unlink', paths: fresh(point) }],
    },
  ];
}

/** Of files of the tree, at random. */
function anywhere(tree: string, files: number, count: number): string[] {
  return anyOf(files, count).map(
    (number) => `${tree}/${Math.floor(number / FILES_OF_A_FOLDER)}/${number % FILES_OF_A_FOLDER}`,
  );
}
