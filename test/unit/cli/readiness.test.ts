// When a started cluster counts as ready: a table of what its servers are in.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type ChildNews, judgeReadiness } from '../../../src/cli/supervisor/readiness.js';
import type { ClusterStatus, DataServerState, MetaserverStatus } from '../../../src/protocol/services/admin.js';

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

function metaserver(name: string, role: MetaserverStatus['role']): MetaserverStatus {
  const indexes = { term: 1, lastIndex: 1, committedIndex: 1, appliedIndex: 1, lag: { entries: 0, ms: 0 } };
  const isVoter = role !== 'learner' && role !== 'blank';
  const state = role === 'crashed' ? 'down' : 'up';
  return { name, address: '', state, role, isServing: role === 'leader', isVoter, ...indexes, ...WELL };
}

interface Options {
  metaserver?: 'down';
  metaservers?: MetaserverStatus[];
  onWriteQuorumLost?: 'block';
  /** Of the metaservers. */
  children?: ChildNews[];
}

function judge(letters: string, options: Options = {}) {
  const servers = [...letters];
  const status: ClusterStatus = {
    readQuorum: 3,
    writeQuorum: 4,
    readable: servers.filter((letter) => letter === 'u').length >= 3,
    writable: servers.filter((letter) => letter !== 'f' && STATES[letter] !== 'down').length >= 4,
    audit: 'all',
    onWriteQuorumLost: options.onWriteQuorumLost ?? 'fail',
    mediator: { address: '' },
    mediators: [],
    metaservers: options.metaservers ?? [metaserver('meta1', options.metaserver === 'down' ? 'crashed' : 'leader')],
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
      trouble: letter === 'f' ? 'full' : null,
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
  return judgeReadiness(status, [...(options.children ?? []), ...children]);
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

  it('says which metaserver refuses writes, and which data servers take none', () => {
    const full = { ...metaserver('meta2', 'leader'), trouble: 'full', reason: 'no room' } as const;
    assert.deepEqual(judge('uuuuu', { metaservers: [metaserver('meta1', 'follower'), full] }), {
      verdict: 'ready',
      summary: '',
      problems: ['meta2: no room', 'writes are refused: meta2 is full'],
    });
    assert.deepEqual(judge('uuuff').problems, [
      'data4: its disk is full',
      'data5: its disk is full',
      `writes fail: 3 of 5 data servers can be written to, 4 ${MUST}`,
    ]);
  });

  it('waits for a metaserver that has come back blank, though the group counts what it was before', () => {
    const learner = { ...metaserver('meta3', 'learner'), isVoter: true };
    const metaservers = [metaserver('meta1', 'leader'), metaserver('meta2', 'follower'), learner];
    assert.deepEqual(judge('uuuuu', { metaservers }), {
      verdict: 'joining',
      summary: '',
      problems: ['meta3 does not count for majorities yet (learner)'],
    });
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

  it('of several metaservers needs one that leads, and waits a while for those that are being let in', () => {
    const of = (...roles: MetaserverStatus['role'][]) =>
      roles.map((role, index) => metaserver(`meta${index + 1}`, role));
    const none = judge('uuuuu', { metaservers: of('candidate', 'follower', 'crashed') });
    assert.deepEqual(none, {
      verdict: 'unreadable',
      summary: 'nothing can be read: no metaserver leads',
      problems: ['meta3 is down'],
    });
    const all = judge('uuuuu', { metaservers: of('follower', 'leader', 'follower') });
    assert.deepEqual(all, { verdict: 'ready', summary: '', problems: [] });
    const joining = judge('uuuuu', { metaservers: of('follower', 'leader', 'learner', 'blank') });
    assert.deepEqual(joining, {
      verdict: 'joining',
      summary: '',
      problems: [
        'meta3 does not count for majorities yet (learner)',
        'meta4 does not count for majorities yet (blank)',
      ],
    });
    const children = [{ name: 'meta3', isOpening: false, failure: 'its disk is gone' }];
    const two = judge('uuuuu', { metaservers: of('follower', 'leader', 'crashed'), children });
    assert.deepEqual(two, { verdict: 'ready', summary: '', problems: ['meta3 is down: its disk is gone'] });
  });
});
