import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { AccessTimes, isDue } from '../../../src/fuse-client/files/access-times.js';
import type { AccessTimesMode } from '../../../src/fuse-client/mount-settings.js';
import type { Attributes, FileService } from '../../../src/protocol/services/files.js';
import { settle } from '../../support/manual-clock.js';
import { fixture } from './fixture.js';

const SECOND_NS = 1_000_000_000n;
const DAY_NS = 86_400n * SECOND_NS;

const times = (accessTimeNs: bigint, modifyTimeNs: bigint, changeTimeNs: bigint, revision = 1): Attributes =>
  ({ inode: 7, revision, accessTimeNs, modifyTimeNs, changeTimeNs }) as Attributes;

describe('access times', () => {
  const cases: { it: string; attributes: Attributes; nowNs: bigint; due: boolean }[] = [
    { it: 'never read since it was made', attributes: times(5n, 5n, 5n), nowNs: 9n, due: true },
    { it: 'written since', attributes: times(5n, 6n, 4n), nowNs: 9n, due: true },
    { it: 'changed since', attributes: times(5n, 4n, 6n), nowNs: 9n, due: true },
    { it: 'read since', attributes: times(5n, 4n, 4n), nowNs: 9n, due: false },
    { it: 'read less than a day ago', attributes: times(5n, 4n, 4n), nowNs: 4n + DAY_NS, due: false },
    { it: 'read a day ago', attributes: times(5n, 4n, 4n), nowNs: 5n + DAY_NS, due: true },
  ];
  for (const { it: name, attributes, nowNs, due } of cases) {
    it(`${name}: ${due ? 'due' : 'not due'}`, () => assert.equal(isDue(attributes, nowNs), due));
  }

  function told(mode: AccessTimesMode) {
    const { runtime, clock } = fixture();
    const requests: unknown[] = [];
    const files = {
      setattr: async (request: unknown) => {
        requests.push(request);
        return times(1n, 2n, 3n);
      },
    } as unknown as FileService;
    return { requests, clock, accessTimes: new AccessTimes(files, runtime, mode, () => {}) };
  }

  it('are told of once per change and day, however often a file is read', async () => {
    const { requests, clock, accessTimes } = told('relatime');
    const unread = times(clock.nowNs(), clock.nowNs(), clock.nowNs());
    for (let round = 0; round < 3; round++) accessTimes.read(unread);
    await settle();
    assert.deepEqual(requests, [{ inode: 7, changes: { accessed: true }, caller: { uid: 0, gid: 0 } }]);
    accessTimes.read({ ...unread, revision: 2 });
    await settle();
    assert.equal(requests.length, 2);
    await clock.advance(Number(DAY_NS / 1_000_000n));
    accessTimes.read({ ...unread, revision: 2 });
    await settle();
    assert.equal(requests.length, 3);
  });

  it('stay as they are with noatime', async () => {
    const { requests, accessTimes } = told('noatime');
    accessTimes.read(times(1n, 1n, 1n));
    await settle();
    assert.deepEqual(requests, []);
  });
});
