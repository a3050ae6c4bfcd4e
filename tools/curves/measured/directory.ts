// What operations in one directory take while it grows to a hundred thousand entries.
import { fillNames, makeDirectory } from '../fill.js';
import { anyOf, numbered } from '../jobs.js';
import { Stage } from '../stage.js';
import { type Job, type Point, takeTurns } from '../turns.js';
import { type Measure, USUAL_SERVERS } from './measured.js';

export const measureDirectory: Measure = (sizes, progress) =>
  Stage.with(async (stage) => {
    const cluster = await stage.cluster({ servers: USUAL_SERVERS });
    const services = await stage.services(cluster);
    const shared = await stage.pointOf(0, cluster);
    const points: Point[] = [];
    for (const entries of sizes.directoryEntries) {
      progress(`filling a directory with ${entries} entries`);
      await fillNames(services, await makeDirectory(services, String(entries)), 0, entries);
      points.push({ ...shared, x: entries });
    }
    await services.sync();
    return { directory: await takeTurns(points, jobs(sizes.nameOperations), { rounds: sizes.rounds, progress }) };
  });

function jobs(operations: number): Job[] {
  const folder = ({ mountPoints: [mountPoint], x }: Point) => `${mountPoint}/${x}`;
  const fresh = (point: Point) => numbered(`${folder(point)}/new-`, operations);
  return [
    {
      ...{ name: 'create', unit: '/s', cold: false },
      works: (point) => [{ kind: 'create', paths: fresh(point), bytes: 0 }],
    },
    {
      ...{ name: 'lookup, cold', unit: '/s', cold: true },
      works: (point) => [{ kind: 'stat', paths: anywhere(folder(point), point.x, operations) }],
    },
    {
      ...{ name: 'unlink', unit: '/s', cold: false },
      works: (point) => [{ kind: 'unlink', paths: fresh(point) }],
    },
    {
      ...{ name: 'list, an entry', unit: '/s', cold: true },
      works: (point) => [{ kind: 'list', folder: folder(point), attributes: false }],
    },
    {
      ...{ name: 'list with attributes, an entry', unit: '/s', cold: true },
      works: (point) => [{ kind: 'list', folder: folder(point), attributes: true }],
    },
  ];
}

function anywhere(folder: string, entries: number, count: number): string[] {
  return anyOf(entries, count).map((number) => `${folder}/${number}`);
}
