// The jobs of the benchmark: each works in a folder of its own and answers
// how much of something it did per second. The first five are fio's where it
// is installed, since it measures more exactly than we do.
import { execFile, spawnSync } from 'node:child_process';
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  opendirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { dropCaches } from './caches.js';

export interface JobOptions {
  /** Bytes of the one big file. */
  sizeBytes: number;
  /** Seconds that each timed job runs. */
  seconds: number;
  /** Small files. */
  files: number;
}

export interface Job {
  name: string;
  unit: 'MB/s' | '/s';
  run(folder: string, options: JobOptions): Promise<number>;
}

const MIB = 1024 * 1024;
const PAGE = 4096;

const fioIsInstalled = spawnSync('fio', ['--version'], { stdio: 'ignore' }).status === 0;

interface FioSide {
  bw_bytes: number;
  iops: number;
  total_ios: number;
}

/** Runs one fio job; answers its busier side. */
async function fio(folder: string, parameters: string[]): Promise<FioSide> {
  const fixed = [
    '--name=job',
    `--directory=${folder}`,
    '--output-format=json',
    '--group_reporting',
    '--thread',
    '--ioengine=psync',
  ];
  const { stdout } = await promisify(execFile)('fio', [...fixed, ...parameters], { maxBuffer: 64 * MIB });
  const report = JSON.parse(stdout.slice(stdout.indexOf('{'))) as {
    jobs: { read: FioSide; write: FioSide; error: number }[];
  };
  const job = report.jobs[0];
  if (job === undefined || job.error !== 0) throw new Error(`fio failed with error ${job?.error}`);
  return job.read.total_ios > job.write.total_ios ? job.read : job.write;
}

const timed = (seconds: number) => ['--time_based', `--runtime=${seconds}`];

/** Operations per second of `operate`, called `count` times. */
function rate(count: number, operate: (index: number) => void): number {
  const start = process.hrtime.bigint();
  for (let index = 0; index < count; index++) operate(index);
  return count / (Number(process.hrtime.bigint() - start) / 1e9);
}

/** Operations per second of `threads` loops that run `operate` for `seconds`, and whatever `finish` takes. */
async function rateOf(
  threads: number,
  seconds: number,
  operate: () => Promise<void>,
  finish: () => Promise<void>,
): Promise<number> {
  const start = process.hrtime.bigint();
  const elapsed = () => Number(process.hrtime.bigint() - start) / 1e9;
  let count = 0;
  await Promise.all(
    Array.from({ length: threads }, async () => {
      while (elapsed() < seconds) {
        await operate();
        count++;
      }
    }),
  );
  await finish();
  return count / elapsed();
}

const randomPage = (sizeBytes: number) => Math.floor(Math.random() * (sizeBytes / PAGE)) * PAGE;

const bigJobs: Job[] = [
  {
    name: 'sequential write, 1 MiB, fsync at the end',
    unit: 'MB/s',
    async run(folder, { sizeBytes }) {
      if (fioIsInstalled) {
        const side = await fio(folder, [
          '--filename=big',
          '--rw=write',
          '--bs=1m',
          `--size=${sizeBytes}`,
          '--end_fsync=1',
        ]);
        return side.bw_bytes / 1e6;
      }
      const file = openSync(join(folder, 'big'), 'w');
      const chunk = Buffer.alloc(MIB, 'n');
      const chunks = sizeBytes / MIB;
      const perSecond = rate(chunks, (index) => {
        writeSync(file, chunk);
        if (index === chunks - 1) fsyncSync(file);
      });
      closeSync(file);
      return (perSecond * MIB) / 1e6;
    },
  },
  {
    name: 'sequential read, 1 MiB, cold',
    unit: 'MB/s',
    async run(folder, { sizeBytes }) {
      dropCaches();
      if (fioIsInstalled) {
        return (await fio(folder, ['--filename=big', '--rw=read', '--bs=1m', `--size=${sizeBytes}`])).bw_bytes / 1e6;
      }
      const file = openSync(join(folder, 'big'), 'r');
      const chunk = Buffer.alloc(MIB);
      const perSecond = rate(sizeBytes / MIB, () => readSync(file, chunk));
      closeSync(file);
      return (perSecond * MIB) / 1e6;
    },
  },
  {
    name: 'random read, 4 KiB, 8 threads, cold',
    unit: '/s',
    async run(folder, { sizeBytes, seconds }) {
      dropCaches();
      if (fioIsInstalled) {
        const random = [
          '--filename=big',
          '--rw=randread',
          '--bs=4k',
          `--size=${sizeBytes}`,
          '--numjobs=8',
          '--norandommap',
        ];
        return (await fio(folder, [...random, ...timed(seconds)])).iops;
      }
      const file = await open(join(folder, 'big'), 'r');
      const page = Buffer.alloc(PAGE);
      const operate = async () => void (await file.read(page, 0, PAGE, randomPage(sizeBytes)));
      const result = await rateOf(8, seconds, operate, async () => {});
      await file.close();
      return result;
    },
  },
  {
    name: 'random write, 4 KiB, 4 threads, fsync at the end',
    unit: '/s',
    async run(folder, { sizeBytes, seconds }) {
      dropCaches();
      if (fioIsInstalled) {
        const random = [
          '--filename=big',
          '--rw=randwrite',
          '--bs=4k',
          `--size=${sizeBytes}`,
          '--numjobs=4',
          '--norandommap',
        ];
        return (await fio(folder, [...random, '--end_fsync=1', ...timed(seconds)])).iops;
      }
      const file = await open(join(folder, 'big'), 'r+');
      const page = Buffer.alloc(PAGE, 'r');
      const operate = async () => void (await file.write(page, 0, PAGE, randomPage(sizeBytes)));
      const result = await rateOf(4, seconds, operate, () => file.sync());
      await file.close();
      return result;
    },
  },
  {
    name: 'write 4 KiB + fsync, one thread',
    unit: '/s',
    async run(folder, { seconds }) {
      if (fioIsInstalled) {
        const synced = ['--filename=synced', '--rw=write', '--bs=4k', '--size=64m', '--fsync=1'];
        return (await fio(folder, [...synced, ...timed(seconds)])).iops;
      }
      const file = openSync(join(folder, 'synced'), 'w');
      const page = Buffer.alloc(PAGE, 's');
      const operate = async () => {
        writeSync(file, page);
        fdatasyncSync(file);
      };
      const result = await rateOf(1, seconds, operate, async () => {});
      closeSync(file);
      return result;
    },
  },
];

const small = (folder: string, index: number) => join(folder, 'small', String(index));
const renamed = (folder: string, index: number) => join(folder, 'small', `r${index}`);

const smallJobs: Job[] = [
  {
    name: 'create + write 4 KiB + close',
    unit: '/s',
    async run(folder, { files }) {
      mkdirSync(join(folder, 'small'));
      const content = Buffer.alloc(PAGE, 'x');
      return rate(files, (index) => writeFileSync(small(folder, index), content));
    },
  },
  {
    name: 'stat, cold',
    unit: '/s',
    async run(folder, { files }) {
      dropCaches();
      return rate(files, (index) => statSync(small(folder, index)));
    },
  },
  {
    name: 'readdir with stat, cold, per entry',
    unit: '/s',
    async run(folder, { files }) {
      dropCaches();
      const start = process.hrtime.bigint();
      const directory = opendirSync(join(folder, 'small'));
      let entries = 0;
      for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
        statSync(join(folder, 'small', entry.name));
        entries++;
      }
      directory.closeSync();
      if (entries !== files) throw new Error(`the listing has ${entries} entries instead of ${files}`);
      return entries / (Number(process.hrtime.bigint() - start) / 1e9);
    },
  },
  {
    name: 'open + read 4 KiB, cold',
    unit: '/s',
    async run(folder, { files }) {
      dropCaches();
      return rate(files, (index) => readFileSync(small(folder, index)));
    },
  },
  {
    name: 'rename',
    unit: '/s',
    async run(folder, { files }) {
      return rate(files, (index) => renameSync(small(folder, index), renamed(folder, index)));
    },
  },
  {
    name: 'unlink',
    unit: '/s',
    async run(folder, { files }) {
      return rate(files, (index) => unlinkSync(renamed(folder, index)));
    },
  },
];

export const jobs: Job[] = [...bigJobs, ...smallJobs];
