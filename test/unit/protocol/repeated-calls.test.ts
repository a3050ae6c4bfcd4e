// Calls that are lost with their connection and made again.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { RemoteState } from '../../../src/protocol/wire/client.js';
import { RepeatedCalls } from '../../../src/protocol/wire/repeated-calls.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('asking again', () => {
  const broken = new ServiceError('UNREACHABLE', 'the connection broke');

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

  it('is no answer to a server that says itself that it failed', async () => {
    const { lost } = lostCalls();
    let asked = 0;
    const calling = lost.repeat(async () => {
      asked++;
      throw broken;
    });
    await assert.rejects(calling, broken);
    assert.equal(asked, 1);
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
