// fio and stress-ng: every way of reading and writing, and every operation on
// names, in fixed amounts; both verify what they read.
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { requirePrograms, succeed, Workplace } from '../../support/programs.js';

const MIB = 1024 * 1024;
const FILE_BYTES = 4 * MIB;
const SCATTERED_BYTES = 75_000;

interface FioJob {
  rw: 'write' | 'randwrite' | 'randrw';
  engine: 'psync' | 'mmap' | 'libaio';
  direct: boolean;
  /** Further options: block sizes that don't fit pages, several processes in one file. */
  options?: string;
}

const FIO_JOBS: readonly FioJob[] = [
  { rw: 'write', engine: 'psync', direct: false },
  { rw: 'randwrite', engine: 'psync', direct: false },
  { rw: 'randwrite', engine: 'psync', direct: false, options: '--bsrange=512-70k --bs_unaligned' },
  { rw: 'randrw', engine: 'psync', direct: false, options: '--fsync=64' },
  { rw: 'write', engine: 'mmap', direct: false },
  { rw: 'randwrite', engine: 'mmap', direct: false },
  { rw: 'write', engine: 'psync', direct: true, options: '--bs=256k' },
  { rw: 'randwrite', engine: 'psync', direct: true },
  { rw: 'randwrite', engine: 'libaio', direct: false, options: '--iodepth=16' },
  { rw: 'write', engine: 'libaio', direct: true, options: '--iodepth=16 --bs=128k' },
  { rw: 'randwrite', engine: 'libaio', direct: true, options: '--iodepth=16' },
];

interface FioReport {
  jobs: { error: number; read: { io_bytes: number }; write: { io_bytes: number } }[];
}

/**
 * How many operations of each stressor, with options that keep its files small. Not among them: fpunch, which runs until its
 * time is up on any file system; link, symlink and xattr, whose one operation is eight thousand files or attributes; copy-file,
 * with files of 128 MiB at least.
 */
const STRESSORS: Readonly<Record<string, { operations: number; options?: string }>> = {
  access: { operations: 30 },
  aiol: { operations: 50 },
  chdir: { operations: 20, options: '--chdir-dirs 64' },
  chmod: { operations: 20 },
  chown: { operations: 50 },
  dentry: { operations: 200 },
  dir: { operations: 100 },
  dirdeep: { operations: 100 },
  dirmany: { operations: 200 },
  dnotify: { operations: 5 },
  dup: { operations: 100 },
  fallocate: { operations: 8, options: '--fallocate-bytes 4m' },
  fcntl: { operations: 50 },
  filename: { operations: 10 },
  flock: { operations: 100 },
  fsize: { operations: 5 },
  fstat: { operations: 50 },
  getdent: { operations: 50 },
  hdd: { operations: 100, options: '--hdd-bytes 4m' },
  'io-uring': { operations: 20 },
  inotify: { operations: 3 },
  iomix: { operations: 20, options: '--iomix-bytes 1m' },
  lease: { operations: 100 },
  locka: { operations: 100 },
  lockf: { operations: 100 },
  lockofd: { operations: 100 },
  mknod: { operations: 100 },
  mmap: { operations: 1, options: '--mmap-file --mmap-bytes 1m' },
  msync: { operations: 20, options: '--msync-bytes 1m' },
  open: { operations: 200 },
  readahead: { operations: 20, options: '--readahead-bytes 1m' },
  rename: { operations: 200 },
  revio: { operations: 20, options: '--revio-bytes 4m' },
  seek: { operations: 200, options: '--seek-size 4m' },
  sendfile: { operations: 20 },
  'sync-file': { operations: 3, options: '--sync-file-bytes 1m' },
  touch: { operations: 50 },
  utime: { operations: 100 },
};

/** A stressor that takes this long is given up, and has then done fewer operations than it should. */
const STRESSOR_LIMIT_S = 60;

describe('on one cluster', function () {
  this.timeout(180_000);
  let place: Workplace;

  before(async function () {
    place = await Workplace.open(this, [], { servers: 3, readQuorum: 2 });
  });

  after(async () => {
    await place?.close();
  });

  describe('fio', () => {
    let folder: string;

    before(async function () {
      requirePrograms(this, 'fio');
      folder = join(place.mounted, 'fio');
      await mkdir(folder);
    });

    async function fio(options: string): Promise<FioReport['jobs'][number]> {
      const report = JSON.parse(await succeed(`fio --output-format=json ${options}`, folder)) as FioReport;
      const [job] = report.jobs;
      assert.ok(job !== undefined);
      assert.equal(job.error, 0);
      return job;
    }

    FIO_JOBS.forEach(({ rw, engine, direct, options = '' }, index) => {
      const title = [rw, engine, direct ? 'direct' : 'buffered', options].join(' ').trim();
      it(`${title}: reads back what it wrote`, async () => {
        const common = `--name=job --filename=file${index} --rw=${rw} --ioengine=${engine} --direct=${direct ? 1 : 0} ${options}`;
        const sizes = `--size=${FILE_BYTES} --fallocate=none --randseed=${index + 1}`;
        const job = `${common} ${sizes} --verify=crc32c --verify_fatal=1`;
        const written = await fio(`${job} --do_verify=1 --end_fsync=1`);
        // Blocks of random sizes don't fill the file to its last byte, and half of randrw reads.
        const bytes = rw === 'randrw' ? FILE_BYTES / 4 : FILE_BYTES * 0.9;
        assert.ok(written.write.io_bytes >= bytes, `${written.write.io_bytes} bytes written`);
        assert.ok(written.read.io_bytes >= written.write.io_bytes, `${written.read.io_bytes} bytes verified`);
        // fio itself can't tell later what it wrote in these modes, on any file system.
        if (rw === 'randrw' || options.includes('bs_unaligned')) return;
        const verified = await fio(`${job} --verify_only=1`);
        assert.ok(verified.read.io_bytes >= bytes, `${verified.read.io_bytes} bytes verified later`);
      });
    });

    it('finds wrong bytes when there are some', async () => {
      await succeed('printf wrong | dd of=file0 bs=1 seek=1000000 conv=notrunc status=none', folder);
      const job = `--name=job --filename=file0 --rw=write --size=${FILE_BYTES} --fallocate=none --randseed=1`;
      await assert.rejects(fio(`${job} --verify=crc32c --verify_fatal=1 --verify_only=1`), /verify|status/);
    });
  });

  describe('python3', () => {
    let folder: string;

    before(async function () {
      requirePrograms(this, 'python3');
      folder = join(place.mounted, 'python3');
      await mkdir(folder);
    });

    it('stores tens of thousands of single bytes, each in a page of its own, with one fsync', async () => {
      const program = `
import os
file = os.open('scattered', os.O_CREAT | os.O_WRONLY)
for page in range(${SCATTERED_BYTES}):
    os.pwrite(file, b'x', page * 4096 + 4095)
os.fsync(file)`;
      await succeed(`python3 -c "${program}"`, folder);
      assert.equal(await succeed("tr -d '\\0' < scattered | wc -c", folder), `${SCATTERED_BYTES}\n`);
      assert.equal((await stat(join(folder, 'scattered'))).size, SCATTERED_BYTES * 4096);
    });
  });

  describe('stress-ng', () => {
    let folder: string;

    before(async function () {
      requirePrograms(this, 'stress-ng');
      folder = join(place.mounted, 'stress-ng');
      await mkdir(folder);
    });

    for (const [name, { operations, options = '' }] of Object.entries(STRESSORS)) {
      it(`${name}: ${operations} operations, verified, and nothing is left`, async () => {
        const metrics = join(place.plain, `${name}.yaml`);
        const output = await succeed(
          `stress-ng --${name} 1 --${name}-ops ${operations} ${options} --verify --timeout ${STRESSOR_LIMIT_S} \
             --temp-path . --metrics-brief --yaml ${metrics} 2>&1`,
          folder,
        );
        const [, done] = / bogo-ops: (\d+)/.exec(await readFile(metrics, 'utf8')) ?? [];
        assert.ok(Number(done) >= operations, `${done} operations: ${output}`);
        assert.doesNotMatch(output, /: fail:/);
        assert.deepEqual(await readdir(folder), []);
      });
    }
  });
});
