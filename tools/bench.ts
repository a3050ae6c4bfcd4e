// npm run bench: rates of directories, job by job in turns, so that a noisy machine is as noisy to each of them; and the curves of
// docs/performance.md. `--help` names the options.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { nameList, wholeNumber } from '../src/cli/commands/options.js';
import { startFresh } from './bench/fresh.js';
import { jobs } from './bench/jobs.js';
import { figure, layOut, median } from './bench/table.js';
import { CURVE_NAMES, runCurves, writeCurves } from './curves/run.js';

interface Place {
  title: string;
  folder: string;
}

interface Arguments {
  rounds: number;
  seconds: number;
  size: number;
  files: number;
  json?: true;
  curves?: true;
  quick?: true;
  large?: true;
  only?: string[];
  draw?: true;
}

function curveNames(text: string): string[] {
  const names = nameList(text);
  const unknown = names.filter((name) => !CURVE_NAMES.includes(name));
  if (unknown.length > 0) throw new InvalidArgumentError(`${unknown.join(', ')}: there are ${CURVE_NAMES.join(', ')}.`);
  return names;
}

const command = new Command('bench')
  .description('Measures directories, or a fresh nmrfs beside a plain directory where none is named.')
  .argument('[directories...]')
  .option('--rounds <number>', 'of which the medians count: a new process is slow at first', wholeNumber(1), 3)
  .option('--seconds <number>', 'of each job that repeats one operation', wholeNumber(1), 5)
  .option('--size <MiB>', 'of the file that is written and read in sequence', wholeNumber(1), 256)
  .option('--files <number>', 'of the jobs on small files', wholeNumber(1), 1000)
  .option('--json', 'print data as JSON')
  .option('--curves', 'measure the curves of docs/performance.md, and write them there')
  .option('--quick', 'of the curves: one round, with small numbers')
  .option('--large', 'of the curves: more rounds, and rebuilds of the largest stores')
  .option('--only <names>', `of the curves: those named, of ${CURVE_NAMES.join(',')}`, curveNames)
  .option('--draw', 'write pictures and tables of the curves anew, from the figures that are there');

async function measure(places: readonly Place[], given: Arguments): Promise<void> {
  const options = {
    sizeBytes: given.size * 1024 * 1024,
    seconds: given.seconds,
    files: given.files,
  };
  const seen = new Map<string, number[]>();
  const key = (place: Place, job: string) => `${place.title}\n${job}`;
  for (let round = 0; round < given.rounds; round++) {
    const folders = places.map(({ folder }) => join(folder, `bench-${process.pid}-${round}`));
    for (const folder of folders) mkdirSync(folder, { recursive: true });
    try {
      for (const job of jobs) {
        for (const [position, place] of places.entries()) {
          const result = await job.run(folders[position] ?? place.folder, options);
          const results = seen.get(key(place, job.name)) ?? [];
          seen.set(key(place, job.name), [...results, result]);
          process.stderr.write(`${place.title}: ${job.name}: ${figure(result)} ${job.unit}\n`);
        }
      }
    } finally {
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    }
  }
  const result = (place: Place, job: string) => median(seen.get(key(place, job)) ?? []);
  if (given.json) {
    const report = places.map((place) => ({
      title: place.title,
      results: Object.fromEntries(jobs.map((job) => [job.name, result(place, job.name)])),
    }));
    process.stdout.write(`${JSON.stringify(report)}\n`);
    return;
  }
  const header = ['job', 'unit', ...places.map(({ title }) => title), ...(places.length === 2 ? ['ratio'] : [])];
  const rows = jobs.map((job) => {
    const results = places.map((place) => result(place, job.name));
    const [first = Number.NaN, second = Number.NaN] = results;
    const ratio = places.length === 2 ? [(first / second).toFixed(2)] : [];
    return [job.name, job.unit, ...results.map(figure), ...ratio];
  });
  process.stdout.write(`${layOut([header, ...rows])}\n`);
}

const given: Arguments = command.parse().opts();
const folders = command.args;
if (given.draw) {
  await writeCurves({});
} else if (given.curves) {
  const length = given.quick ? 'quick' : given.large ? 'large' : 'full';
  await runCurves(length, given.only ?? []);
} else if (folders.length > 0) {
  await measure(
    folders.map((folder) => ({ title: folder, folder })),
    given,
  );
} else {
  const plain = mkdtempSync(join(tmpdir(), 'nmrfs-bench-plain-'));
  const fresh = await startFresh();
  try {
    await measure(
      [
        { title: 'nmrfs', folder: fresh.mountPoint },
        { title: 'plain directory', folder: plain },
      ],
      given,
    );
  } finally {
    await fresh.stop();
    rmSync(plain, { recursive: true, force: true });
  }
}
