// When a started cluster counts as ready: a table of what its servers are in.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { judgeReadiness } from '../../../src/cli/supervisor/readiness.js';
import type { ClusterStatus, DataServerState } from '../../../src/protocol/services/admin.js';

/** Letters of servers: u up, f up with a full disk, d down, o opening, b blank, r rebuilding with blocks, e rebuilding without any. */
const STATES: Readonly<Record<string, DataServerState>> = {
  u: 'up',
  f: 'up',
  d: 'down',
  o: 'down',
  b: 'blank',
  r: 'rebuilding',
  e: 'rebuilding',
};

const WELL = { trouble: null, reason: '', freeBytes: 1, totalBytes: 2 };

function judge(letters: string, options: { metaserver?: 'down'; onWriteQuorumLost?: 'block' } = {}) {
  const servers = [...letters];
  const status: ClusterStatus = {
    readQuorum: 3,
    writeQuorum: 4,
    readable: servers.filter((letter) => letter === 'u').length >= 3,
    writable: servers.filter((letter) => STATES[letter] !== 'down').length >= 4,
    audit: 'all',
    onWriteQuorumLost: options.onWriteQuorumLost ?? 'fail',
    mediator: { address: '' },
    metaservers: [{ name: 'meta1', address: '', state: options.metaserver ?? 'up', ...WELL }],
    dataservers: servers.map((letter, index) => ({
      name: `data${index + 1}`,
      address: '',
      state: STATES[letter] ?? 'down',
      blocks: 'ur'.includes(letter) ? 1 : 0,
      bytes: 0,
      dissents: 0,
      repairs: 0,
      behind: 0,
      ...WELL,
      reason: STATES[letter] === 'down' ? 'it does not answer' : letter === 'f' ? 'its disk is full' : '',
    })),
    survives: { settled: 0, afterWrite: 0 },
    survivesNow: { complete: 0, reads: 0, writes: 0 },
    counters: {},
  };
  const children = servers.map((letter, index) => ({
    name: `data${index + 1}`,
    isOpening: letter === 'o',
    failure: letter === 'd' && index === 4 ? 'its disk is gone' : '',
  }));
  return judgeReadiness(status, children);
}

const MUST = 'must be (Qw)';

describe('a started cluster', () => {
  for (const [letters, verdict, problems] of [
    ['uuuuu', 'ready', []],
    ['uuuuf', 'ready', ['data5: its disk is full']],
    ['uuuud', 'ready', ['data5 is down: its disk is gone']],
    [
      'uuudd',
      'ready',
      [
        'data4 is down: it does not answer',
        'data5 is down: its disk is gone',
        `writes fail: 3 of 5 data servers can be written to, 4 ${MUST}`,
      ],
    ],
    ['uuuub', 'ready', ['data5 is blank']],
    ['uurru', 'ready', ['data3 is rebuilding', 'data4 is rebuilding']],
    [
      'uurrr',
      'ready',
      [
        'data3 is rebuilding',
        'data4 is rebuilding',
        'data5 is rebuilding',
        "what fewer than 3 data servers hold (Qr) can't be read: 2 are complete",
      ],
    ],
    ['uudoo', 'opening', undefined],
    ['uuddo', 'opening', undefined],
    ['uuddd', 'unreadable', undefined],
    ['uddoo', 'opening', undefined],
    ['udddo', 'unreadable', undefined],
    ['uubbb', 'unreadable', ['data3 is blank', 'data4 is blank', 'data5 is blank']],
    ['uueee', 'unreadable', undefined],
  ] as const) {
    it(`${letters} is ${verdict}`, () => {
      const judged = judge(letters);
      assert.equal(judged.verdict, verdict);
      if (problems !== undefined) assert.deepEqual(judged.problems, problems);
    });
  }

  it('says that writes wait where they do', () => {
    assert.match(judge('uuudd', { onWriteQuorumLost: 'block' }).problems.at(-1) ?? '', /^writes wait: /);
  });

  it('is no use without metadata, or without a mediator', () => {
    const judged = judge('uuuuu', { metaserver: 'down' });
    assert.deepEqual(judged, {
      verdict: 'unreadable',
      summary: 'nothing can be read: no metaserver is up',
      problems: ['meta1 is down'],
    });
    const children = [{ name: 'data1', isOpening: false, failure: 'no room' }];
    assert.deepEqual(judgeReadiness(undefined, children), {
      verdict: 'unreadable',
      summary: 'nothing can be read: the mediator does not answer',
      problems: ['data1 is down: no room'],
    });
  });
});
