// Which time is left of writes that were under way at once.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { WriteTimes } from '../../../src/mediator/writing/write-times.js';
import { BLOCK, openWithFile } from './fixture.js';

describe('times of writes side by side', () => {
  it('of writes in whatever order of their commits the latest is left', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    const write = (index: number, modifyTimeNs: bigint) =>
      mediator.files.write({
        inode,
        extents: [{ offset: index * BLOCK, data: Buffer.alloc(BLOCK, 'x') }],
        modifyTimeNs,
      });
    const { changeTimeNs } = await mediator.files.getattr({ inode });
    const [replica] = cluster.replicas;
    assert.ok(replica !== undefined);
    let later: Promise<unknown> = Promise.resolve();
    replica.beforePut = () => {
      // The first write is under way, and not stored before the second is committed.
      replica.beforePut = () => undefined;
      later = write(1, changeTimeNs + 2000n);
      return later;
    };
    const earlier = await write(0, changeTimeNs + 1000n);
    await later;
    assert.equal(earlier.modifyTimeNs, changeTimeNs + 2000n);
    const alone = await write(0, changeTimeNs + 1500n);
    assert.deepEqual([alone.modifyTimeNs, alone.changeTimeNs], [changeTimeNs + 1500n, changeTimeNs + 2000n]);
  });

  it('are forgotten with the last of them, and one without a time leaves those that there are', () => {
    const times = new WriteTimes();
    times.begun(7);
    times.begun(7);
    assert.equal(times.ofCommit(7, 20n), 20n);
    assert.equal(times.ofCommit(7, null), null);
    assert.equal(times.ofCommit(7, 10n), 20n);
    times.ended(7);
    assert.equal(times.ofCommit(7, 15n), 20n);
    times.ended(7);
    times.begun(7);
    assert.equal(times.ofCommit(7, 10n), 10n);
  });
});
