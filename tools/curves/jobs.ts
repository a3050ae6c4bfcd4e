// The jobs of the curves over servers, quorums, block sizes and programs.
import type { Work } from './programs/work.js';
import type { Sizes } from './sizes.js';
import { eachProgram, type Job, type Point } from './turns.js';

const PAGE_BYTES = 4096;

/** Small files and large ones, written and read; what they have written, the next of them read. */
export function mixedJobs({ operations, largeMebibytes }: Sizes): Job[] {
  const share = (total: number, { atOnce }: Point) => Math.max(1, Math.ceil(total / atOnce));
  const small = (point: Point, folder: string) => numbered(`${folder}/small/`, share(operations, point));
  const large = (point: Point, folder: string) => ({
    path: `${folder}/large/file`,
    mebibytes: share(largeMebibytes, point),
  });
  /** The same in the folder of each program. */
  const inEach = (workIn: (point: Point, folder: string) => Work): Job['works'] => {
    return (point, folderOf) => eachProgram(point, (program) => workIn(point, folderOf(program)));
  };
  return [
    {
      ...{ name: 'create + 4 KiB', unit: '/s', cold: false },
      works: inEach((point, folder) => ({ kind: 'create', bytes: PAGE_BYTES, paths: small(point, folder) })),
    },
    {
      ...{ name: 'open + read 4 KiB, cold', unit: '/s', cold: true },
      works: inEach((point, folder) => ({ kind: 'read', paths: small(point, folder) })),
    },
    {
      ...{ name: 'write 4 KiB + fsync', unit: '/s', cold: false },
      works: inEach((point, folder) => ({
        ...{ kind: 'sync', path: `${folder}/synced/file` },
        count: share(operations, point),
      })),
    },
    {
      ...{ name: 'sequential write', unit: 'MB/s', cold: false },
      works: inEach((point, folder) => ({ kind: 'write large', ...large(point, folder) })),
    },
    {
      ...{ name: 'sequential read, cold', unit: 'MB/s', cold: true },
      works: inEach((point, folder) => ({ kind: 'read large', ...large(point, folder) })),
    },
  ];
}

/** PREFIX0, PREFIX1 and so on. */
export function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, number) => `${prefix}${number}`);
}

/** So many different whole numbers below `limit`, or all of them, in any order: the kernel knows what it was asked before. */
export function anyOf(limit: number, count: number): number[] {
  const numbers = new Set<number>();
  while (numbers.size < Math.min(count, limit)) numbers.add(Math.floor(Math.random() * limit));
  return [...numbers];
}
