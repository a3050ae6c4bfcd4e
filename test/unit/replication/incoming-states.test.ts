// Whole states that come chunk by chunk: whoever sends one hears why it can't be taken, and only the last one counts.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { IncomingStates, type TakeState } from '../../../src/replication/link/incoming-states.js';
import { silentLog } from '../../../src/runtime/log.js';
import { ManualClock, settle } from '../../support/manual-clock.js';

const MARK = { index: 5, term: 1, members: { voters: ['a'], learners: [] } };

class Receiving {
  readonly clock = new ManualClock();
  readonly warnings: string[] = [];
  readonly log = { ...silentLog, warn: (event: string) => void this.warnings.push(event) };

  over(take: TakeState): IncomingStates {
    return new IncomingStates(take, { clock: this.clock, log: this.log });
  }
}

async function all(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += Buffer.from(chunk).toString();
  return text;
}

describe('a whole state', () => {
  it('is taken when its end has come, chunk by chunk', async () => {
    const taken: string[] = [];
    const states = new Receiving().over(async (from, term, mark, chunks) => {
      taken.push(`${from} ${term} ${mark.index} ${await all(chunks)}`);
    });
    const number = states.begin('a', 3, MARK);
    await states.chunk(number, Buffer.from('one'));
    await states.chunk(number, Buffer.from('two'));
    assert.deepEqual(taken, []);
    await states.end(number);
    assert.deepEqual(taken, ['a 3 5 onetwo']);
    await assert.rejects(states.chunk(number, Buffer.from('three')), { code: 'REFUSED' });
  });

  it('that can not be taken is answered with why, also to a chunk, and logged', async () => {
    const receiving = new Receiving();
    const states = receiving.over(async (_from, _term, _mark, chunks) => {
      for await (const chunk of chunks) throw new Error(`no room for ${chunk.length} bytes`);
    });
    const number = states.begin('a', 1, MARK);
    await states.chunk(number, Buffer.from('12345'));
    await settle();
    await assert.rejects(states.chunk(number, Buffer.from('6')), /no room for 5 bytes/);
    await assert.rejects(states.end(number), /no room for 5 bytes/);
    assert.deepEqual(receiving.warnings, ['replication.state_not_received']);
  });

  it('is given up for a later one, whose turn comes when nothing of it is left', async () => {
    const events: string[] = [];
    const states = new Receiving().over(async (from, _term, _mark, chunks) => {
      events.push(`${from} begins`);
      await all(chunks).then(
        () => events.push(`${from} ends`),
        () => events.push(`${from} is given up`),
      );
    });
    states.begin('a', 1, MARK);
    await settle();
    const second = states.begin('b', 2, MARK);
    await states.end(second);
    assert.deepEqual(events, ['a begins', 'a is given up', 'b begins', 'b ends']);
  });

  it('is given up when nothing of it comes for half a minute, and at a close', async () => {
    for (const ends of ['silence', 'close']) {
      const receiving = new Receiving();
      let outcome = '';
      const states = receiving.over(async (_from, _term, _mark, chunks) => {
        await all(chunks).catch((error: Error) => {
          outcome = error.message;
        });
      });
      states.begin('a', 1, MARK);
      await settle();
      if (ends === 'close') await states.close();
      else await receiving.clock.advance(30_000);
      await settle();
      assert.equal(outcome, 'the rest of a state did not come');
    }
  });
});
