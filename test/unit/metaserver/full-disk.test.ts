// Who leads on a full disk hands over, if somebody has room.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { type Candidate, FullDisk } from '../../../src/metaserver/group/full-disk.js';
import { ManualClock } from '../../support/manual-clock.js';
import { RecordingLog } from '../../support/recording-log.js';
import { TestRuntime } from './harness.js';

const GIB = 1 << 30;

describe('a leader whose disk is full', () => {
  let clock: ManualClock;
  let log: RecordingLog;
  let full: FullDisk;
  let leftBytes: number;
  let isServing: boolean;
  let others: Candidate[];
  let handedTo: string[];
  /** What a checkpoint leaves. */
  let afterCheckpoint: () => void;

  beforeEach(() => {
    clock = new ManualClock();
    log = new RecordingLog();
    leftBytes = -1;
    isServing = true;
    others = [
      { name: 'meta2', freeBytes: GIB },
      { name: 'meta3', freeBytes: 2 * GIB },
    ];
    handedTo = [];
    afterCheckpoint = () => {};
    full = new FullDisk({
      storage: {
        room: async () => ({ leftBytes, totalBytes: GIB, failure: null }),
        checkpoint: async () => afterCheckpoint(),
      },
      isServing: () => isServing,
      candidates: async () => [...others],
      handOver: async (name) => void handedTo.push(name),
      runtime: { ...new TestRuntime(log), clock, log },
    });
  });

  afterEach(() => full.close());

  it('hands over to the one with the most room, says so, and waits long before it does so again', async () => {
    await clock.advance(10_000);
    assert.deepEqual(handedTo, ['meta3']);
    assert.deepEqual(log.named('replication.disk_full'), [{ to: 'meta3', freeBytes: 2 * GIB }]);
    await clock.advance(25_000);
    assert.equal(handedTo.length, 2);
  });

  it('leads on while there is room, or is once a checkpoint has put waiting rows together', async () => {
    leftBytes = 1;
    await clock.advance(10_000);
    leftBytes = -1;
    afterCheckpoint = () => {
      leftBytes = 1;
    };
    await clock.advance(10_000);
    assert.deepEqual(handedTo, []);
  });

  it('leads on where the others have as little, or none answers', async () => {
    others = others.map(({ name }) => ({ name, freeBytes: 1 << 20 }));
    await clock.advance(10_000);
    others = [];
    await clock.advance(10_000);
    assert.deepEqual(handedTo, []);
    others = [{ name: 'meta2', freeBytes: GIB }];
    await clock.advance(1000);
    assert.deepEqual(handedTo, ['meta2']);
  });

  it('is looked at only while it leads', async () => {
    isServing = false;
    await clock.advance(10_000);
    assert.deepEqual(handedTo, []);
  });
});
