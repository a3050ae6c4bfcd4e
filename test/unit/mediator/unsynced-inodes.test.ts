import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { LostCalls, repeatLost } from '../../../src/mediator/lost-calls.js';
import { UnsyncedInodes } from '../../../src/mediator/unsynced-inodes.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { MetadataService } from '../../../src/protocol/metadata.js';
import { RequestIds } from '../../../src/protocol/request-ids.js';
import { ManualClock } from '../../support/manual-clock.js';

const CROWD = Array.from({ length: 65_537 }, (_, inode) => inode + 1);

describe('inodes whose changes may not be on the disk', () => {
  it('are at stake at a loss when they were changed by what is not durable', () => {
    const unsynced = new UnsyncedInodes();
    unsynced.changed([1, 2], 1);
    unsynced.changed([2, 3], 2);
    unsynced.lose(1);
    assert.deepEqual([...unsynced.takeLost()], [2, 3]);
    assert.deepEqual([...unsynced.takeLost()], []);
  });

  it('are forgotten when all is durable, and one by one when they are many', () => {
    const unsynced = new UnsyncedInodes();
    unsynced.changed([1], 1);
    unsynced.forgetUpTo(1, 1);
    unsynced.lose(0);
    assert.deepEqual([...unsynced.takeLost()], []);
    unsynced.changed(CROWD, 2);
    unsynced.changed([5, 70_000], 3);
    assert.equal(unsynced.isCrowded, true);
    unsynced.forgetUpTo(2, 3);
    assert.equal(unsynced.isCrowded, false);
    unsynced.lose(2);
    assert.deepEqual([...unsynced.takeLost()], [5, 70_000]);
  });

  it('are those of commands of which nobody knows the outcome too', async () => {
    const metadata = {
      execute: () => Promise.reject(new ServiceError('DEADLINE', 'no answer')),
    } as unknown as MetadataService;
    const nothing = () => {};
    const lost = new LostCalls({ onStateChange: nothing }, 1000, new ManualClock(), nothing, nothing);
    const service = repeatLost(metadata, lost, new RequestIds('test'));
    const request = { parent: 3, name: 'a', newParent: 4, newName: 'b', mode: 'replace' as const, held: [] };
    await assert.rejects(service.execute({ name: 'rename', timeNs: 0n, request, durable: false }), {
      code: 'DEADLINE',
    });
    lost.unsynced.lose(lost.durable);
    assert.deepEqual([...lost.unsynced.takeLost()], [3, 4]);
  });

  it('are never too many: the next command is a durable one', async () => {
    const sent: boolean[] = [];
    const metadata = {
      execute: async ({ durable }: { durable: boolean }) => {
        sent.push(durable);
        return { changed: [] };
      },
    } as unknown as MetadataService;
    const nothing = () => {};
    const lost = new LostCalls({ onStateChange: nothing }, 1000, new ManualClock(), nothing, nothing);
    const service = repeatLost(metadata, lost, new RequestIds('test'));
    const rmdir = () =>
      service.execute({ name: 'rmdir', timeNs: 0n, request: { parent: 1, name: 'd' }, durable: false });
    await rmdir();
    lost.noteAnswered(CROWD);
    await rmdir();
    await rmdir();
    assert.deepEqual(sent, [false, true, false]);
  });
});
