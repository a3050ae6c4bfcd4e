// Open handles stay few, readers outlive what they read, and slow disks do
// not block.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Segments } from '../../../src/dataserver/log/segments.js';
import type { Disk, OpenMode } from '../../../src/runtime/disk.js';
import { silentLog } from '../../../src/runtime/log.js';
import { Pacer } from '../../../src/runtime/pacer.js';
import { MemoryDisk } from '../../support/memory-disk.js';

async function withSegments(count: number, action: (segments: Segments, opened: () => number) => Promise<void>) {
  const disk = new MemoryDisk();
  let open = 0;
  const counting = {
    ...disk.mount(),
    async open(path: string, mode: OpenMode) {
      const file = await disk.open(path, mode);
      open++;
      return Object.assign(Object.create(file), {
        close: async () => {
          open--;
          await file.close();
        },
        sizeBytes: () => file.sizeBytes(),
        truncate: (sizeBytes: number) => file.truncate(sizeBytes),
      });
    },
  };
  const segments = new Segments(counting, '/segments', silentLog, 3);
  for (let number = 1; number <= count; number++) await (await segments.create(number)).close();
  await action(segments, () => open);
  await segments.close();
  assert.equal(open, 0, 'everything is closed in the end');
}

describe('segment files', () => {
  it('are kept open only so many at a time', () =>
    withSegments(10, async (segments, opened) => {
      for (let round = 0; round < 30; round++) {
        await segments.use(1 + (round % 10), async () => {});
        assert.ok(opened() <= 3, `${opened()} open`);
      }
    }));

  it('stay open while they are used between others', () =>
    withSegments(10, async (segments) => {
      for (const number of [1, 2, 1, 3, 1, 4]) await segments.use(number, async () => {});
      assert.ok(segments.openedFile(1) !== undefined);
      assert.equal(segments.openedFile(2), undefined);
    }));

  it('can be read on a disk that takes no writes', async () => {
    const disk = new MemoryDisk();
    const readOnly: Disk = {
      ...disk.mount(),
      open: (path, mode) =>
        mode === 'reading'
          ? disk.open(path, mode)
          : Promise.reject(Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' })),
    };
    const file = await disk.open('/segments/00000001.log', 'create');
    await file.write([Buffer.from('record')], 0);
    const segments = new Segments(readOnly, '/segments', silentLog);
    assert.deepEqual(await segments.load(), [1]);
    assert.equal(segments.sizeOf(1), 6);
    await segments.close();
  });

  it('stay open for those who use them when they are removed', () =>
    withSegments(2, async (segments, opened) => {
      await segments.use(1, async (file) => {
        await segments.remove(1);
        assert.equal(await file.sizeBytes(), 0);
        assert.equal(opened(), 1);
      });
      assert.equal(opened(), 0);
      await assert.rejects(
        segments.use(1, async () => {}),
        { code: 'ENOENT' },
      );
    }));

  it('are opened once by many who come at once', () =>
    withSegments(1, async (segments, opened) => {
      await Promise.all(Array.from({ length: 20 }, () => segments.use(1, async (file) => file.sizeBytes())));
      assert.equal(opened(), 1);
    }));
});

describe('the choice between blocking and the pool', () => {
  it('follows how quick the disk has been', async () => {
    let nowMs = 0;
    const clock = { nowNs: () => 0n, monotonicMs: () => nowMs, after: () => ({ cancel() {} }), afterTurn: () => {} };
    const pacer = new Pacer(clock);
    const operate = (tookMs: number): Promise<string> => {
      const take = (way: string) => {
        nowMs += tookMs;
        return way;
      };
      return pacer.run(
        4096,
        () => take('blocking'),
        async () => take('pool'),
      );
    };
    assert.equal(await operate(0.1), 'blocking');
    assert.equal(await operate(100), 'blocking');
    assert.equal(await operate(100), 'pool', 'after one that took long');
    const ways: string[] = [];
    for (let quick = 0; quick < 100; quick++) ways.push(await operate(0.1));
    assert.ok(ways.indexOf('blocking') > 5, 'not at once');
    assert.equal(ways.at(-1), 'blocking');
  });
});
