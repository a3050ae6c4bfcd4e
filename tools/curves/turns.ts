// Rounds by turns: in each round every job is done at every point, one point after the other, so that a noisy machine is as noisy
// to each of them.
import { dropCaches } from '../bench/caches.js';
import { type CurveFigures, type ProcessorMs, rounded, type Series } from './figures.js';
import { type Servers, spentEach } from './processor.js';
import type { Programs } from './programs/programs.js';
import type { Work } from './programs/work.js';

/** A place along the bottom of a curve: a cluster that is up, and how to measure it. */
export interface Point {
  x: number;
  /** The programs take them in turns. */
  mountPoints: readonly string[];
  servers: Pick<Servers, 'spent' | 'untilResting'>;
  programs: Pick<Programs, 'run'>;
  /** How many of the programs work at once. */
  atOnce: number;
  /** Brings a cluster that several points share to this point. */
  before?: () => Promise<void>;
}

/** By the number of a program, from 0. */
export type FolderOf = (program: number) => string;

export interface Job {
  name: string;
  unit: '/s' | 'MB/s';
  /** Whether caches are dropped before. */
  cold: boolean;
  /** One work for each program, in a folder of this round's and its own, which is there only once it has made it. */
  works(point: Point, folderOf: FolderOf): Work[];
}

export interface TurnsOptions {
  rounds: number;
  /** Called with what is measured next. */
  progress: (what: string) => void;
}

/** New processes are slow: so many rounds come first and do not count. */
const WARMING_ROUNDS = 2;

/** Of each job and point, the rate and the processor time of each round that counts. */
export async function takeTurns(
  points: readonly Point[],
  jobs: readonly Job[],
  { rounds, progress }: TurnsOptions,
): Promise<Omit<CurveFigures, 'stamp'>> {
  const series = jobs.map(({ name, unit }) => ({
    ...{ name, unit, rounds: points.map((): number[] => []) },
    processorMs: points.map((): ProcessorMs[] => []),
  }));
  const last = WARMING_ROUNDS + rounds - 1;
  for (let round = 0; round <= last; round++) {
    for (const [jobAt, job] of jobs.entries()) {
      progress(`round ${round} of ${last}: ${job.name}`);
      for (const [pointAt, point] of points.entries()) {
        const { rate, processorMs } = await measure(point, job, foldersOf(point, round));
        if (round < WARMING_ROUNDS) continue;
        series[jobAt]?.rounds[pointAt]?.push(rate);
        series[jobAt]?.processorMs[pointAt]?.push(processorMs);
      }
    }
    for (const point of points) {
      const folderOf = foldersOf(point, round);
      await point.programs.run(eachProgram(point, (program) => ({ kind: 'remove', folder: folderOf(program) })));
    }
    // What this leaves to do is no job's. Several points may be of one cluster.
    for (const servers of new Set(points.map((point) => point.servers))) await servers.untilResting();
  }
  return { points: points.map(({ x }) => x), series: series satisfies Series[] };
}

async function measure(
  point: Point,
  job: Job,
  folderOf: FolderOf,
): Promise<{ rate: number; processorMs: ProcessorMs }> {
  const { servers, programs } = point;
  if (point.before !== undefined) {
    await point.before();
    await servers.untilResting();
  }
  if (job.cold) dropCaches();
  const before = await servers.spent();
  const { amount, seconds } = await programs.run(job.works(point, folderOf));
  const processorMs = spentEach(before, await servers.untilResting(), amount);
  return { rate: rounded(amount / seconds), processorMs };
}

export function eachProgram({ atOnce }: Point, work: (program: number) => Work): Work[] {
  return Array.from({ length: atOnce }, (_, program) => work(program));
}

function foldersOf({ x, mountPoints }: Point, round: number): FolderOf {
  return (program) => `${mountPoints[program % mountPoints.length]}/round-${round}-${x}-${program}`;
}
