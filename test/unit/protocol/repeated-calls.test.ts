// Calls that are lost with their connection and made again.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { RemoteState } from '../../../src/protocol/wire/client.js';
import { RepeatedCalls } from '../../../src/protocol/wire/repeated-calls.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('asking again', () => {
  const broken = new ServiceError('OUTCOME_UNKNOWN', 'the connection broke');

  function lostCalls(): { lost: RepeatedCalls; clock: ManualClock; breaks: () => void } {
    const clock = new ManualClock();
    const listeners: ((state: RemoteState) => void)[] = [];
    const remote = {
      onStateChange: (listener: (state: RemoteState) => void) => {
        listeners.push(listener);
      },
    };
    const lost = new RepeatedCalls(remote, 1000, clock);
    const breaks = () => {
      for (const listener of listeners) listener('down');
    };
    return { lost, clock, breaks };
  }

  it('ends with the deadline, which all attempts share', async () => {
    const { lost, clock, breaks } = lostCalls();
    const limits: (number | undefined)[] = [];
    const calling = lost.repeat(async ({ deadlineMs }) => {
      limits.push(deadlineMs);
      await clock.advance(400);
      breaks();
      throw broken;
    });
    await assert.rejects(calling, broken);
    assert.deepEqual(limits, [1000, 600, 200]);
  });

  for (const code of ['OUTCOME_UNKNOWN', 'UNREACHABLE', 'DEADLINE', 'FAILED'] as const) {
    it(`is no answer to a server that says itself ${code}`, async () => {
      const { lost } = lostCalls();
      let asked = 0;
      const failure = new ServiceError(code, 'its disk fails');
      const calling = lost.repeat(async () => {
        asked++;
        throw failure;
      });
      await assert.rejects(calling, failure);
      assert.equal(asked, 1);
    });
  }

  for (const code of ['CLOSING', 'NOT_LEADER'] as const) {
    it(`goes on, with pauses, while a server says ${code}, until the deadline`, async () => {
      const { lost, clock } = lostCalls();
      const startsMs: number[] = [];
      const heard: ServiceError[] = [];
      const refusal = new ServiceError(code, 'not now');
      const calling = lost.repeat(
        async () => {
          startsMs.push(clock.monotonicMs());
          throw refusal;
        },
        (error) => heard.push(error),
      );
      const failed = assert.rejects(calling, refusal);
      await clock.advance(999);
      assert.deepEqual(startsMs.slice(0, 3), [0, 25, 50]);
      assert.equal(startsMs.length, 40);
      await clock.advance(1);
      await failed;
      assert.deepEqual([startsMs.length, heard.length, clock.pending], [41, 41, 0]);
    });
  }

  it('needs no pause where the connection was lost together with the refusal', async () => {
    const { lost, clock, breaks } = lostCalls();
    let asked = 0;
    const calling = lost.repeat(async () => {
      if (++asked > 1) return 'carried out';
      breaks();
      throw new ServiceError('NOT_LEADER', 'another one leads');
    });
    assert.equal(await calling, 'carried out');
    assert.equal(clock.pending, 0);
  });

  it('follows the end of a session at the other side, which is one loss for all calls', async () => {
    const { lost } = lostCalls();
    const attempts: number[] = [];
    const call = () =>
      lost.repeat(async () => {
        attempts.push(lost.losses);
        await null;
        if (attempts.length <= 2) throw new ServiceError('NO_SESSION', 'it was silent');
        return 'carried out';
      });
    const both = [call(), call()];
    assert.deepEqual(await Promise.all(both), ['carried out', 'carried out']);
    assert.deepEqual([attempts, lost.losses], [[0, 0, 1, 1], 1]);
  });
});
