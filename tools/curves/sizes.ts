// How much each run measures: a quick one takes some minutes and shows that all works, the full one gives the figures of
// docs/performance.md, the large one adds points that take long to fill.
import type { RunLength } from './figures.js';

export interface Sizes {
  /** Measured ones. */
  rounds: number;
  /** Operations of a job on small files, shared by all programs. */
  operations: number;
  /** Of a job on names, which are quicker. */
  nameOperations: number;
  /** Of the file that is written and read. */
  largeMebibytes: number;
  /** Files in the tree. */
  treeFiles: number[];
  /** Entries of the directory. */
  directoryEntries: number[];
  /** Blocks of the cluster. */
  blocks: number[];
  /** Clusters with more blocks than this are not rebuilt. */
  rebuiltBlocks: number;
}

export const SIZES: Record<RunLength, Sizes> = {
  quick: {
    ...{ rounds: 1, operations: 300, nameOperations: 1_000, largeMebibytes: 32 },
    treeFiles: [1_000, 10_000, 50_000],
    directoryEntries: [1_000, 10_000, 30_000],
    ...{ blocks: [10_000, 50_000, 200_000], rebuiltBlocks: 50_000 },
  },
  full: {
    ...{ rounds: 3, operations: 500, nameOperations: 2_000, largeMebibytes: 256 },
    treeFiles: [1_000, 10_000, 100_000, 1_000_000],
    directoryEntries: [1_000, 10_000, 100_000],
    ...{ blocks: [10_000, 100_000, 1_000_000, 2_000_000], rebuiltBlocks: 100_000 },
  },
  large: {
    ...{ rounds: 5, operations: 2_000, nameOperations: 2_000, largeMebibytes: 256 },
    treeFiles: [1_000, 10_000, 100_000, 1_000_000],
    directoryEntries: [1_000, 10_000, 100_000],
    ...{ blocks: [10_000, 100_000, 1_000_000, 2_000_000], rebuiltBlocks: 2_000_000 },
  },
};
