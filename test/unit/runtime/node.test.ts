import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { DIRECT_ALIGNMENT_BYTES } from '../../../src/runtime/disk.js';
import { NodeClock } from '../../../src/runtime/node/clock.js';
import { nodeDisk } from '../../../src/runtime/node/disk.js';
import { nodeLog } from '../../../src/runtime/node/log.js';
import { nodeRandom } from '../../../src/runtime/node/random.js';

const TMPFS_MAGIC = 0x01021994;

/** Why this machine can't tell what is in its cache, or has nothing outside of it; null when it can and has. */
async function whyNothingIsUncached(folder: string): Promise<string | null> {
  if ((await statfs(folder)).type === TMPFS_MAGIC) return 'the temporary folder is in memory';
  const accounts = await readFile('/proc/thread-self/io', 'utf8').catch(() => '');
  return accounts.includes('read_bytes:') ? null : 'this kernel does not count what a thread reads';
}

describe("Node's clock", () => {
  const clock = new NodeClock();

  it('tells the time since 1970, finer than a millisecond, near to the wall clock', () => {
    const times = Array.from({ length: 1000 }, () => clock.nowNs());
    assert.ok(times.some((time) => time % 1_000_000n !== 0n));
    const wall = BigInt(Date.now()) * 1_000_000n;
    const last = times.at(-1) ?? 0n;
    assert.ok(last - wall < 5_000_000n && wall - last < 50_000_000n);
  });

  it('never calls too early, even after the event loop was busy', async () => {
    const busyUntil = performance.now() + 30;
    while (performance.now() < busyUntil);
    const startMs = clock.monotonicMs();
    await new Promise<void>((resolve) => clock.after(20, resolve));
    assert.ok(clock.monotonicMs() - startMs >= 20);
  });

  it('does not call what was cancelled, nor at once what is due in a century', async () => {
    const called: string[] = [];
    const timer = clock.after(1, () => called.push('cancelled'));
    timer.cancel();
    timer.cancel();
    const century = clock.after(100 * 365 * 24 * 3_600_000, () => called.push('century'));
    await new Promise<void>((resolve) => clock.after(5, resolve));
    century.cancel();
    assert.deepEqual(called, []);
  });
});

describe("Node's randomness", () => {
  it('gives as many bytes as asked, other ones each time, and fractions below one', () => {
    assert.equal(nodeRandom.bytes(32).length, 32);
    assert.notDeepEqual(nodeRandom.bytes(32), nodeRandom.bytes(32));
    for (let turn = 0; turn < 100; turn++) {
      const fraction = nodeRandom.fraction();
      assert.ok(fraction >= 0 && fraction < 1);
    }
  });
});

describe("Node's disk", () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nmrfs-disk-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('writes chunks in order and reads them back, blocking or not; fewer bytes come only at the end', async () => {
    const file = await nodeDisk.open(join(folder, 'file'), 'create');
    try {
      await file.write([Buffer.from('abc'), Buffer.alloc(0), Buffer.from('def')], 0);
      file.writeNow([Buffer.from('XY'), Buffer.from('Z')], 10);
      await file.sync();
      assert.equal(await file.sizeBytes(), 13);
      const target = Buffer.alloc(20);
      assert.equal(await file.read(target, 0), 13);
      assert.equal(target.toString('latin1', 0, 13), 'abcdef\0\0\0\0XYZ');
      assert.equal(file.readNow(target.subarray(0, 3), 10), 3);
      assert.equal(target.toString('latin1', 0, 3), 'XYZ');
      assert.equal(file.readNow(target, 100), 0);
      await file.truncate(2);
      assert.equal(await file.sizeBytes(), 2);
    } finally {
      await file.close();
    }
  });

  it('reads past the cache what it says is not in it, several at once, up to the end of the file', async function () {
    const reason = await whyNothingIsUncached(folder);
    if (reason !== null) {
      process.stdout.write(`skipped: ${reason}\n`);
      // Then everything counts as cached, rightly, and nothing is read past the cache.
      this.skip();
    }
    const path = join(folder, 'file');
    const bytes = nodeRandom.bytes(3 * 2 ** 20 + 100);
    await writeFile(path, bytes);
    await promisify(execFile)('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0']);
    const file = await nodeDisk.open(path, 'existing');
    try {
      assert.deepEqual([file.isCached(2 ** 20), file.isCached(2 ** 20)], [false, true]);
      const read = async (position: number, sizeBytes: number) => {
        const memory = await file.directMemory(2 ** 20);
        assert.equal(memory.length, 2 ** 20);
        return memory.subarray(0, await file.readDirect(memory.subarray(0, sizeBytes), position));
      };
      const parts = await Promise.all([read(0, 2 ** 20), read(DIRECT_ALIGNMENT_BYTES, 8192), read(3 * 2 ** 20, 4096)]);
      assert.ok(parts[0].equals(bytes.subarray(0, 2 ** 20)));
      assert.ok(parts[1].equals(bytes.subarray(DIRECT_ALIGNMENT_BYTES, DIRECT_ALIGNMENT_BYTES + 8192)));
      assert.ok(parts[2].equals(bytes.subarray(3 * 2 ** 20)));
      await assert.rejects(read(1, 4096), { code: 'EINVAL' });
    } finally {
      await file.close();
    }
    await assert.rejects(file.readDirect(Buffer.alloc(4096), 0), { code: 'EBADF' });
  });

  it('writes through to the same file', async () => {
    const file = await nodeDisk.open(join(folder, 'through'), 'create');
    try {
      await file.write([Buffer.from('abcdef')], 0);
      await file.writeThrough([Buffer.from('1'), Buffer.from('2')], 2);
      const found = Buffer.alloc(6);
      await file.read(found, 0);
      assert.equal(found.toString(), 'ab12ef');
    } finally {
      await file.close();
    }
  });

  it('writes past the cache to the same file, where that is possible', async function () {
    const reason = await whyNothingIsUncached(folder);
    if (reason !== null) {
      process.stdout.write(`skipped: ${reason}\n`);
      this.skip();
    }
    const file = await nodeDisk.open(join(folder, 'direct'), 'create');
    try {
      await file.write([Buffer.alloc(2 * DIRECT_ALIGNMENT_BYTES, 'a')], 0);
      const memory = await file.directMemory(2 ** 20);
      memory.fill('b');
      await file.writeDirect(memory.subarray(0, 2 * DIRECT_ALIGNMENT_BYTES), DIRECT_ALIGNMENT_BYTES);
      const found = Buffer.alloc(3 * DIRECT_ALIGNMENT_BYTES);
      assert.equal(await file.read(found, 0), found.length);
      assert.ok(found.equals(Buffer.concat([Buffer.alloc(4096, 'a'), Buffer.alloc(8192, 'b')])));
      await assert.rejects(file.writeDirect(memory.subarray(0, 4096), 1), { code: 'EINVAL' });
    } finally {
      await file.close();
    }
  });

  it('writes more chunks than one system call takes', async () => {
    const file = await nodeDisk.open(join(folder, 'many'), 'create');
    try {
      const chunks = Array.from({ length: 3000 }, (_, index) => Buffer.alloc(index % 5, index));
      const expected = Buffer.concat(chunks);
      await file.write(chunks, 0);
      file.writeNow(chunks, expected.length);
      const target = Buffer.alloc(expected.length * 2);
      assert.equal(await file.read(target, 0), target.length);
      assert.ok(target.equals(Buffer.concat([expected, expected])));
    } finally {
      await file.close();
    }
  });

  it('opens what exists without losing it, and nothing that is missing unless told to make it', async () => {
    const path = join(folder, 'file');
    await assert.rejects(nodeDisk.open(path, 'existing'), { code: 'ENOENT' });
    const made = await nodeDisk.open(path, 'create');
    made.writeNow([Buffer.from('kept')], 0);
    await made.close();
    for (const mode of ['create', 'existing'] as const) {
      const again = await nodeDisk.open(path, mode);
      assert.equal(await again.sizeBytes(), 4);
      await again.close();
    }
    assert.equal((await stat(path)).mode & 0o077, 0, 'for this user alone');
  });

  it('replaces a small file as a whole and leaves nothing else', async () => {
    const path = join(folder, 'small');
    assert.equal(await nodeDisk.readFile(path), undefined);
    await nodeDisk.replaceFile(path, Buffer.from('one'));
    await nodeDisk.replaceFile(path, Buffer.from('two'));
    assert.equal((await readFile(path)).toString(), 'two');
    assert.deepEqual(await readdir(folder), ['small']);
  });

  it('makes, lists, syncs and removes folders; what is missing is no error there', async () => {
    const deep = join(folder, 'a', 'b');
    assert.deepEqual(await nodeDisk.list(deep), []);
    await nodeDisk.makeDirectory(deep);
    await nodeDisk.makeDirectory(deep);
    await nodeDisk.replaceFile(join(deep, 'c'), Buffer.from('c'));
    await nodeDisk.syncDirectory(deep);
    assert.deepEqual(await nodeDisk.list(deep), ['c']);
    await nodeDisk.remove(join(folder, 'a'));
    await nodeDisk.remove(join(folder, 'a'));
    assert.deepEqual(await nodeDisk.list(folder), []);
  });

  it('passes on errors of the system', async () => {
    await assert.rejects(nodeDisk.list(join('/dev/null', 'x')), { code: 'ENOTDIR' });
    const file = await nodeDisk.open(join(folder, 'file'), 'create');
    await file.close();
    await assert.rejects(file.sizeBytes(), { code: 'EBADF' });
    await assert.rejects(file.sync(), { code: 'EBADF' });
  });

  it('tells how much room there is, and which boot this is', async () => {
    const { freeBytes, totalBytes, diskId } = await nodeDisk.space(folder);
    assert.ok(freeBytes > 0 && totalBytes >= freeBytes);
    assert.equal((await nodeDisk.space(join(folder, '.'))).diskId, diskId);
    assert.notEqual((await nodeDisk.space('/proc')).diskId, diskId);
    assert.match(await nodeDisk.bootId(), /^[0-9a-f-]{36}$/);
    assert.equal(await nodeDisk.bootId(), await nodeDisk.bootId());
  });
});

describe("Node's log", () => {
  it('writes one JSON line per event, with its name, its level and all fields', () => {
    const lines: string[] = [];
    const log = nodeLog({
      logLevel: 'info',
      logName: 'data1',
      destination: { write: (line) => void lines.push(line) },
    });
    log.debug('not.written');
    log.info('replica.down', { replica: 'data2', version: 12n });
    log.error('request.failed', { cause: Object.assign(new Error('oops'), { code: 'EIO' }) });
    log.warn('vote.dissent');
    const entries = lines.map((line) => JSON.parse(line));
    assert.equal(entries.length, 3);
    const [down, failed, dissent] = entries;
    assert.equal(down.event, 'replica.down');
    assert.equal(down.level, 'info');
    assert.equal(down.name, 'data1');
    assert.equal(down.version, '12');
    assert.ok(!Number.isNaN(Date.parse(down.time)));
    assert.deepEqual([failed.cause.message, failed.cause.code], ['oops', 'EIO']);
    assert.match(failed.cause.stack, /node\.test/);
    assert.equal(dissent.event, 'vote.dissent');
  });

  it('appends to a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nmrfs-log-'));
    try {
      const destination = join(folder, 'logs', 'data1.log');
      for (const turn of [1, 2]) nodeLog({ logLevel: 'info', logName: 'data1', destination }).info('turn', { turn });
      const lines = (await readFile(destination, 'utf8')).trim().split('\n');
      assert.deepEqual(
        lines.map((line) => JSON.parse(line).turn),
        [1, 2],
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
