import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { sparingRepetitions } from '../../../src/runtime/repeated-log.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { RecordingLog } from '../../support/recording-log.js';

function sparing() {
  const log = new RecordingLog();
  let nowMs = 0;
  const runtime = { clock: { monotonicMs: () => nowMs }, log } as unknown as Runtime;
  const advance = (byMs: number) => {
    nowMs += byMs;
  };
  return { said: log, advance, log: sparingRepetitions(runtime, ['disk.failed']).log };
}

describe('a log that spares repetitions', () => {
  it('says a thing once, and after a minute how often it was not said', () => {
    const { said, advance, log } = sparing();
    for (let second = 0; second < 60; second++) {
      for (let time = 0; time < 44; time++) log.error('disk.failed', { reason: `${second}` });
      advance(1000);
    }
    assert.deepEqual(said.named('disk.failed'), [{ reason: '0' }]);
    log.error('disk.failed', { reason: 'still' });
    assert.deepEqual(said.named('disk.failed')[1], { reason: 'still', unsaid: 60 * 44 - 1 });
    advance(60_000);
    log.error('disk.failed', { reason: 'again' });
    assert.deepEqual(said.named('disk.failed')[2], { reason: 'again' });
  });

  it('tells servers apart, and lets all else through', () => {
    const { said, log } = sparing();
    for (const server of ['data1', 'data2', 'data1']) log.warn('disk.failed', { server });
    assert.deepEqual(
      said.named('disk.failed').map(({ server }) => server),
      ['data1', 'data2'],
    );
    log.warn('other', {});
    log.warn('other', {});
    log.info('disk.failed');
    assert.equal(said.events.length, 5);
  });
});
