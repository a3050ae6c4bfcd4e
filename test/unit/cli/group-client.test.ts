// How the command line finds the metaserver that leads, and for how long it tries.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import { GroupClient, leaderOf } from '../../../src/cli/group-client.js';
import { FileError, ServiceError, type ServiceErrorCode } from '../../../src/protocol/errors.js';
import type { GroupService, GroupStatus } from '../../../src/protocol/services/group.js';
import { FOLLOWER } from '../../support/fake-metaserver.js';
import { ManualClock } from '../../support/manual-clock.js';

const LIMIT_MS = 10_000;

describe('the command line and a group of metaservers', () => {
  let clock: ManualClock;
  /** What each says that it is. */
  let says: Record<string, GroupStatus | Error>;
  let group: GroupClient;
  /** Who was asked for a change, in order. */
  let asked: string[];
  let answer: (name: string) => Promise<Record<string, never>>;

  beforeEach(() => {
    clock = new ManualClock();
    asked = [];
    answer = async () => ({});
    says = { a: FOLLOWER, b: FOLLOWER, c: FOLLOWER };
    const service = (name: string) => ({
      status: async () => {
        const said = says[name];
        if (said instanceof Error) throw said;
        return said;
      },
      transfer: () => {
        asked.push(name);
        return answer(name);
      },
    });
    const services = ['a', 'b', 'c'].map((name) => [name, service(name) as unknown as GroupService] as const);
    group = new GroupClient(new Map(services), clock);
  });

  function leads(name: string): void {
    for (const other of Object.keys(says)) says[other] = FOLLOWER;
    says[name] = { ...FOLLOWER, role: 'leader', isServing: true };
  }

  const transfer = () => group.atLeader((leader) => leader.transfer({ name: 'c' }));

  it('has what those say that answer', async () => {
    leads('b');
    says.a = new ServiceError('UNREACHABLE', 'a is away');
    const known = await group.standings();
    assert.deepEqual([...known.keys()], ['b', 'c']);
    assert.equal(leaderOf(known), 'b');
  });

  it('says at once that its secret is wrong', async () => {
    says.c = new ServiceError('REFUSED', 'the secret is wrong');
    await assert.rejects(transfer(), { code: 'REFUSED' });
  });

  for (const code of ['NOT_LEADER', 'CLOSING', 'UNREACHABLE', 'OUTCOME_UNKNOWN'] as const) {
    it(`asks the next leader when the first one is lost: ${code}`, async () => {
      leads('a');
      answer = async (name) => {
        if (name === 'b') return {};
        leads('b');
        throw new ServiceError(code, 'a leads no longer');
      };
      const asking = transfer();
      await clock.advance(100);
      await asking;
      assert.deepEqual(asked, ['a', 'b']);
    });
  }

  it('waits for a leader while there is none, and says in the end that there is none', async () => {
    says.a = new ServiceError('UNREACHABLE', 'a is away');
    const asking = transfer();
    await clock.advance(3000);
    leads('c');
    await clock.advance(100);
    await asking;
    assert.deepEqual(asked, ['c']);
    leads('c');
    says.c = new ServiceError('UNREACHABLE', 'c is away');
    const vain = assert.rejects(transfer(), { name: 'CommandFailure', message: 'no metaserver leads; 2 answer' });
    await clock.advance(LIMIT_MS + 200);
    await vain;
  });

  it('passes on what the last attempt failed with when the time is over', async () => {
    leads('a');
    answer = async () => {
      throw new ServiceError('NOT_LEADER', `attempt ${asked.length}`);
    };
    const vain = transfer().then(
      () => null,
      (error: unknown) => error,
    );
    await clock.advance(LIMIT_MS + 200);
    const error = await vain;
    assert.ok(error instanceof ServiceError && error.code === 'NOT_LEADER');
    assert.equal(error.message, `attempt ${asked.length}`);
    assert.ok(asked.length > 90 && asked.length < 110, `${asked.length} attempts`);
  });

  for (const error of [
    ...(['REFUSED', 'FAILED', 'DEADLINE', 'UNKNOWN_METHOD'] satisfies ServiceErrorCode[]).map(
      (code) => new ServiceError(code, 'no'),
    ),
    new FileError('EIO', 'no'),
  ]) {
    it(`passes on at once what another attempt would not change: ${error.code}`, async () => {
      leads('a');
      answer = async () => {
        throw error;
      };
      await assert.rejects(transfer(), error);
      assert.deepEqual(asked, ['a']);
    });
  }

  it('waits until the group is as it should be, or says that this did not happen', async () => {
    const asking = group.until('c leading', (known) => leaderOf(known) === 'c');
    await clock.advance(500);
    leads('c');
    await clock.advance(100);
    await asking;
    const vain = assert.rejects(
      group.until('a leading', (known) => leaderOf(known) === 'a'),
      { name: 'CommandFailure', message: 'a leading did not happen within 10000 ms' },
    );
    await clock.advance(LIMIT_MS + 200);
    await vain;
  });
});
