// The list of segments that a sync failed for, on a disk that may not take it either.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { UnsafeSegments } from '../../../src/dataserver/log/unsafe-segments.js';
import type { Disk } from '../../../src/runtime/disk.js';
import { MemoryDisk } from '../../support/memory-disk.js';
import { RecordingLog } from '../../support/recording-log.js';

const PATH = '/store/unsafe.json';

describe('the list of unsafe segments', () => {
  it('is read again, without those whose files are gone', async () => {
    const disk = new MemoryDisk();
    const list = await UnsafeSegments.load(PATH, disk, new RecordingLog(), []);
    await Promise.all([list.add(3, 500), list.add(4, 0), list.add(5, 9)]);
    await list.remove(5);
    const again = await UnsafeSegments.load(PATH, disk, new RecordingLog(), [2, 3]);
    assert.deepEqual(again.entries(), [[3, 500]]);
    assert.deepEqual(
      [499, 500].map((offset) => again.includes({ segment: 3, offset })),
      [false, true],
    );
  });

  it('counts all the same when it can not be written, and forgets nothing then', async () => {
    const memory = new MemoryDisk();
    const log = new RecordingLog();
    const failing: Disk = {
      ...memory.mount(),
      replaceFile: () => Promise.reject(new Error('input/output error')),
    };
    const list = await UnsafeSegments.load(PATH, failing, log, []);
    await list.add(3, 500);
    assert.equal(log.named('segment.unsafe_not_kept').length, 1);
    await assert.rejects(list.remove(3), /input.output error/);
    assert.ok(list.has(3));
  });

  for (const [what, text] of [
    ['cut off', '{"format":1,"segm'],
    ['of another format', '{"format":2,"segments":[]}'],
    ['without sense', '{"format":1,"segments":[[1,-1]]}'],
    ['no object', 'null'],
  ] as const) {
    it(`is refused when it is ${what}`, async () => {
      const disk = new MemoryDisk();
      await disk.replaceFile(PATH, Buffer.from(text));
      await assert.rejects(UnsafeSegments.load(PATH, disk, new RecordingLog(), [1]), /unsafe\.json is damaged/);
    });
  }
});
