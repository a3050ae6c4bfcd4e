// npm run bench -- DIR ...   measures the directories given
// npm run bench              measures a fresh nmrfs beside a plain directory
// npm run bench -- --curves   measures the curves of docs/performance.md, and writes them there; --quick, --large, --only files,programs
// npm run bench -- --draw     draws the pictures and tables there anew, from the figures that are there
// Options of a plain npm run bench: --rounds R (medians, default 3: a new process is slow at first), --seconds S (5), --size MIB (256), --files F (1000), --json
// The directories take turns job by job, so that a noisy machine is as noisy to each of them.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startFresh } from './bench/fresh.js';
import { jobs } from './bench/jobs.js';
import { figure, layOut, median } from './bench/table.js';
import { runCurves, writeCurves } from './curves/run.js';

interface Place {
  title: string;
  folder: string;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    size: { type: 'string', default: '256' },
    files: { type: 'string', default: '1000' },
    json: { type: 'boolean', default: false },
    curves: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    large: { type: 'boolean', default: false },
    only: { type: 'string' },
    draw: { type: 'boolean', default: false },
  },
});

async function measure(places: readonly Place[]): Promise<void> {
  const options = {
    sizeBytes: Number(values.size) * 1024 * 1024,
    seconds: Number(values.seconds),
    files: Number(values.files),
  };
  const seen = new Map<string, number[]>();
  const key = (place: Place, job: string) => `${place.title}\n${job}`;
  for (let round = 0; round < Number(values.rounds); round++) {
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
  if (values.json) {
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

if (values.draw) {
  await writeCurves({});
} else if (values.curves) {
  const length = values.quick ? 'quick' : values.large ? 'large' : 'full';
  await runCurves(length, values.only?.split(',') ?? []);
} else if (positionals.length > 0) {
  await measure(positionals.map((folder) => ({ title: folder, folder })));
} else {
  const plain = mkdtempSync(join(tmpdir(), 'nmrfs-bench-plain-'));
  const fresh = await startFresh();
  try {
    await measure([
      { title: 'nmrfs', folder: fresh.mountPoint },
      { title: 'plain directory', folder: plain },
    ]);
  } finally {
    await fresh.stop();
    rmSync(plain, { recursive: true, force: true });
  }
}
