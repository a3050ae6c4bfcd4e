// The figures of curves as docs/performance/figures.json keeps them: every round of every point, so that whoever doubts a median
// can look. Pictures and tables are drawn from nothing else.
import { median } from '../bench/table.js';

/** Milliseconds of processor time, user and system, that an operation (or a megabyte) costs all servers of a kind together. */
export interface ProcessorMs {
  /** With the mount that lives in its process, if any. */
  mediator: number;
  /** In processes of their own. */
  mounts?: number;
  metaservers: number;
  dataservers: number;
}

export interface Series {
  name: string;
  /** /s, MB/s, MiB or s */
  unit: string;
  /** By point, then by round; no rounds where it was not measured. */
  rounds: number[][];
  /** The same. */
  processorMs?: ProcessorMs[][];
}

export interface Stamp {
  /** YYYY-MM-DD */
  date: string;
  machine: string;
  length: RunLength;
}

export type RunLength = 'quick' | 'full' | 'large';

export interface CurveFigures {
  stamp: Stamp;
  /** What is along the bottom: numbers of files, of servers, bytes of a block … */
  points: number[];
  series: Series[];
}

/** By the name of the curve. */
export type Figures = Record<string, CurveFigures>;

/** NaN where it was not measured. */
export function mediansOf({ rounds }: Series): number[] {
  return rounds.map(median);
}

/** Part by part; undefined where it was not measured. */
export function processorMedians({ processorMs = [] }: Series): (ProcessorMs | undefined)[] {
  return processorMs.map((rounds) => {
    if (rounds.length === 0) return undefined;
    const of = (part: keyof ProcessorMs) => median(rounds.map((round) => round[part] ?? Number.NaN));
    const mounts = rounds.some((round) => round.mounts !== undefined) ? { mounts: of('mounts') } : {};
    return { mediator: of('mediator'), ...mounts, metaservers: of('metaservers'), dataservers: of('dataservers') };
  });
}

export function totalOf({ mediator, mounts = 0, metaservers, dataservers }: ProcessorMs): number {
  return mediator + mounts + metaservers + dataservers;
}

/** Four digits: more would be noise in every difference of the file. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
