// How each curve is shown: its words, its scales, which series stand in which panel. The order is that of docs/performance.md.
import { formatBytes, formatCount } from './numbers.js';

export interface Panel {
  title: string;
  /** Series of this unit, or the processor time of all. */
  shows: '/s' | 'MB/s' | 'MiB' | 's' | 'processor';
  /** Only series with such a name. */
  of?: RegExp;
  /** A linear one begins at zero. */
  scale: 'linear' | 'log';
}

export interface Presentation {
  /** What is along the bottom, in words. */
  along: string;
  scale: 'linear' | 'log';
  format: (x: number) => string;
  panels: readonly Panel[];
  /** Of what the processor time is told. */
  each?: string;
  /** Whether the last point is compared with the first. */
  isCompared: boolean;
}

const PER_SECOND: Panel = { title: 'operations a second', shows: '/s', scale: 'log' };
const MEGABYTES: Panel = { title: 'MB a second', shows: 'MB/s', scale: 'linear' };
const PROCESSOR: Panel = { title: 'processor ms', shows: 'processor', scale: 'log' };

const MEBIBYTES: Panel = { title: 'MiB', shows: 'MiB', scale: 'log' };

const MIXED = {
  panels: [PER_SECOND, MEGABYTES, PROCESSOR],
  each: 'an operation, or a MB',
  isCompared: false,
} as const;
const NAMES = { panels: [PER_SECOND, PROCESSOR], each: 'an operation', isCompared: true } as const;
const OVER_BLOCKS = { along: 'blocks', scale: 'log', format: formatCount } as const;

export const PRESENTATIONS: Record<string, Presentation> = {
  files: { ...NAMES, along: 'files in the tree', scale: 'log', format: formatCount },
  tree: {
    ...{ along: 'files in the tree', scale: 'log', format: formatCount, isCompared: true },
    panels: [MEBIBYTES],
  },
  directory: { ...NAMES, along: 'entries of the directory', scale: 'log', format: formatCount },
  servers: { ...MIXED, along: 'data servers', scale: 'linear', format: String },
  quorums: { ...MIXED, along: 'read quorum of five', scale: 'linear', format: String },
  'block-sizes': { ...MIXED, along: 'block size', scale: 'log', format: formatBytes },
  programs: { ...MIXED, along: 'programs at once', scale: 'log', format: String },
  mounts: { ...MIXED, along: 'mounts with a program each', scale: 'log', format: String },
  metaservers: { ...MIXED, along: 'metaservers', scale: 'linear', format: String },
  memory: {
    ...OVER_BLOCKS,
    panels: [
      { title: 'MiB of its own', shows: 'MiB', of: /its own$/, scale: 'linear' },
      { title: 'MiB of mapped files', shows: 'MiB', of: /mapped files$/, scale: 'linear' },
    ],
    isCompared: true,
  },
  disk: { ...OVER_BLOCKS, panels: [MEBIBYTES], isCompared: true },
  start: { ...OVER_BLOCKS, panels: [{ title: 'seconds', shows: 's', scale: 'log' }], isCompared: true },
  rebuild: {
    ...OVER_BLOCKS,
    panels: [{ title: 'seconds', shows: 's', scale: 'log' }, PROCESSOR],
    each: 'a block',
    isCompared: true,
  },
};
