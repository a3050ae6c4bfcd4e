// The jobs of the curves over servers, quorums, block sizes and programs.
import type { Work } from './programs/work.js';
import type { Sizes } from './sizes.js';
import type { Job, Point } from './turns.js';

const PAGE_BYTES = 4096;

/** Small files and large ones, written and read; what they have written, the next of them read. */
export function mixedJobs({ operations, largeMebibytes }: Sizes): Job[] {
  const perProgram = (point: Point, work: (program: number) => Work): Work[] =>
    Array.from({ length: point.atOnce }, (_, program) => work(program));
  const share = (total: number, { atOnce }: Point) => Math.max(1, Math.ceil(total / atOnce));
  const small = (point: Point, folder: string, program: number) =>
    numbered(`${folder}/small-${program}/`, share(operations, point));
  const large = (point: Point, folder: string, program: number) => ({
    path: `${folder}/large-${program}/file`,
    mebibytes: share(largeMebibytes, point),
  });
  return [
    {
      ...{ name: 'create + 4 KiB', unit: '/s', cold: false },
      works: (point, folder) =>
        perProgram(point, (program) => ({
          ...{ kind: 'create', bytes: PAGE_BYTES },
          paths: small(point, folder, program),
        })),
    },
    {
      ...{ name: 'open + read 4 KiB, cold', unit: '/s', cold: true },
      works: (point, folder) =>
        perProgram(point, (program) => ({ kind: 'read', paths: small(point, folder, program) })),
    },
    {
      ...{ name: 'write 4 KiB + fsync', unit: '/s', cold: false },
      works: (point, folder) =>
        perProgram(point, (program) => ({
          ...{ kind: 'sync', path: `${folder}/synced-${program}/file` },
          count: share(operations, point),
        })),
    },
    {
      ...{ name: 'sequential write', unit: 'MB/s', cold: false },
      works: (point, folder) =>
        perProgram(point, (program) => ({ kind: 'write large', ...large(point, folder, program) })),
    },
    {
      ...{ name: 'sequential read, cold', unit: 'MB/s', cold: true },
      works: (point, folder) =>
        perProgram(point, (program) => ({ kind: 'read large', ...large(point, folder, program) })),
    },
  ];
}

/** PREFIX0, PREFIX1 and so on. */
export function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, number) => `${prefix}${number}`);
}
