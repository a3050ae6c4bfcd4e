// What status says of one metaserver and of several, and what it says when too few are there.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { statusText } from '../../../src/cli/status-text.js';
import { survivalText } from '../../../src/explain/survival.js';
import { survivalNow } from '../../../src/mediator/admin/cluster-status.js';
import { askGroup, type LedHealth, metaserverStatuses } from '../../../src/mediator/admin/metaserver-status.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { ClusterStatus, DataServerStatus } from '../../../src/protocol/services/admin.js';
import type { GroupStatus } from '../../../src/protocol/services/group.js';
import { FakeMetaserver, FOLLOWER } from '../../support/fake-metaserver.js';
import { ManualClock } from '../../support/manual-clock.js';

const HEALTH = { trouble: null, reason: '', freeBytes: 5, totalBytes: 10, missed: [] };
const NAMES = ['meta1', 'meta2', 'meta3'];
const AWAY = new Error('it does not answer');
const NOBODY: LedHealth = { leader: null, health: new Error('nobody leads') };

function led(leader: string, health: LedHealth['health']): LedHealth {
  return { leader, health };
}

function placesOf(names: readonly string[]) {
  return names.map((name) => ({ name, address: `${name}:1` }));
}

const LEADER: GroupStatus = {
  ...FOLLOWER,
  role: 'leader',
  isServing: true,
  term: 4,
  lastIndex: 12,
  committedIndex: 11,
  appliedIndex: 10,
  voters: NAMES,
};

/** The status of a cluster of one data server that is well. */
function cluster(answers: (GroupStatus | Error)[]): ClusterStatus {
  const metaservers = metaserverStatuses(placesOf(NAMES), answers, NOBODY);
  const data: DataServerStatus = {
    name: 'data1',
    address: 'data1:1',
    state: 'up',
    blocks: 0,
    bytes: 0,
    dissents: 0,
    repairs: 0,
    behind: 0,
    trouble: null,
    reason: '',
    freeBytes: 0,
    totalBytes: 0,
  };
  const quorums = { readQuorum: 1, writeQuorum: 1 };
  return {
    ...quorums,
    ...survivalNow(quorums, metaservers, [data]),
    audit: 'all',
    onWriteQuorumLost: 'fail',
    mediator: { address: 'm:1' },
    mediators: [{ name: 'mediator', address: 'm:1', state: 'active', epoch: 0 }],
    metaservers,
    dataservers: [data],
    counters: {},
  };
}

describe('the status of metaservers', () => {
  it('has what each says of itself, and that one does not answer', async () => {
    const clock = new ManualClock();
    const servers = NAMES.map((name) => new FakeMetaserver(name, clock));
    const [one, two, three] = servers as [FakeMetaserver, FakeMetaserver, FakeMetaserver];
    const lags = [{ name: 'meta2', ms: 1200 }];
    one.status = { ...LEADER, lags, sending: [{ name: 'meta2', done: 5, total: 20 }] };
    two.status = {
      ...FOLLOWER,
      term: 4,
      lastIndex: 9,
      appliedIndex: 8,
      behindMs: 250,
      trouble: 'full',
      reason: 'no room',
      freeBytes: 1,
      totalBytes: 2,
    };
    three.isHung = true;
    const asking = askGroup(servers);
    await clock.advance(300);
    const [first, second, third] = metaserverStatuses(servers, await asking);
    assert.deepEqual(first, {
      name: 'meta1',
      address: '127.0.0.1:1',
      state: 'up',
      role: 'leader',
      isServing: true,
      isVoter: true,
      term: 4,
      lastIndex: 12,
      committedIndex: 11,
      appliedIndex: 10,
      lag: { entries: 1, ms: 0 },
      trouble: null,
      reason: '',
      freeBytes: 0,
      totalBytes: 0,
    });
    assert.deepEqual(
      [second?.role, second?.isServing, second?.lastIndex, second?.trouble, second?.reason, second?.totalBytes],
      ['follower', false, 9, 'full', 'no room', 2],
    );
    assert.deepEqual(
      [second?.lag, second?.snapshot],
      [
        { entries: 3, ms: 1200 },
        { done: 5, total: 20 },
      ],
    );
    assert.equal(third?.lag, null);
    assert.deepEqual(
      [third?.state, third?.role, third?.isVoter, third?.reason],
      ['down', 'crashed', true, 'meta3 did not answer'],
    );
  });

  it('takes the word of the latest term for who votes', () => {
    const old = { ...LEADER, term: 3, voters: ['meta1'] };
    const statuses = metaserverStatuses(placesOf(NAMES), [old, { ...FOLLOWER, term: 4, voters: NAMES }, AWAY]);
    assert.deepEqual(
      statuses.map(({ isVoter }) => isVoter),
      [true, true, true],
    );
    const learner: GroupStatus = { ...FOLLOWER, role: 'learner', term: 4, voters: ['meta1', 'meta2'] };
    const voters = [{ ...LEADER, voters: ['meta1', 'meta2'] }, { ...FOLLOWER, term: 4, voters: ['meta1'] }, learner];
    assert.deepEqual(
      metaserverStatuses(placesOf(NAMES), voters).map(({ isVoter }) => isVoter),
      [true, true, false],
    );
  });

  it('of a lone one is what it says as a metaserver, also when it knows of no group', () => {
    const older = new ServiceError('UNKNOWN_METHOD', 'there is no method group.status');
    const [lone] = metaserverStatuses(placesOf(['meta1']), [older], led('meta1', HEALTH));
    assert.deepEqual(
      [lone?.state, lone?.role, lone?.isServing, lone?.isVoter, lone?.reason, lone?.freeBytes],
      ['up', 'leader', true, true, '', 5],
    );
    const full = { ...HEALTH, trouble: 'full', reason: 'no room' } as const;
    const [known] = metaserverStatuses(placesOf(['meta1']), [LEADER], led('meta1', full));
    assert.deepEqual([known?.term, known?.committedIndex, known?.trouble, known?.reason], [4, 11, 'full', 'no room']);
    const [gone] = metaserverStatuses(placesOf(['meta1']), [LEADER], led('meta1', AWAY));
    assert.deepEqual([gone?.state, gone?.isServing, gone?.reason], ['down', false, 'it does not answer']);
  });

  it('of the one that leads is also what it says as a metaserver, whose disk is watched there', () => {
    const full = { ...HEALTH, trouble: 'full', reason: 'no room' } as const;
    const follower = { ...FOLLOWER, term: 4, voters: NAMES };
    const [first, second] = metaserverStatuses(placesOf(NAMES), [LEADER, follower, follower], led('meta1', full));
    assert.deepEqual([first?.trouble, first?.reason, first?.freeBytes, first?.term], ['full', 'no room', 5, 4]);
    assert.deepEqual([second?.trouble, second?.reason], [null, '']);
    // The lead changes just now: each says itself whether it serves.
    const [late] = metaserverStatuses(placesOf(NAMES), [follower, LEADER, follower], led('meta1', full));
    assert.deepEqual([late?.isServing, late?.trouble], [false, null]);
  });

  it('of one that leads and has no time to say what it is shows it as the leader', () => {
    const follower = { ...FOLLOWER, term: 4, committedIndex: 9, voters: NAMES };
    const answers = [AWAY, follower, { ...follower, committedIndex: 8 }];
    const [busy] = metaserverStatuses(placesOf(NAMES), answers, led('meta1', HEALTH));
    assert.deepEqual(busy, {
      name: 'meta1',
      address: 'meta1:1',
      state: 'up',
      role: 'leader',
      isServing: true,
      isVoter: true,
      term: 4,
      lastIndex: 9,
      committedIndex: 9,
      appliedIndex: 9,
      lag: { entries: 0, ms: 0 },
      trouble: null,
      reason: '',
      freeBytes: 5,
      totalBytes: 10,
    });
    const [gone] = metaserverStatuses(placesOf(NAMES), [AWAY, LEADER, follower], led('meta1', HEALTH));
    assert.equal(gone?.state, 'down');
    const [silent] = metaserverStatuses(placesOf(NAMES), answers, led('meta1', AWAY));
    assert.equal(silent?.state, 'down');
  });

  it('says of a member that was removed what to do, whether it knows of its removal or not', () => {
    const two = ['meta1', 'meta2'];
    const leader = { ...LEADER, voters: two };
    const follower = { ...FOLLOWER, term: 4, voters: two };
    const reasonOf = (third: GroupStatus, first: GroupStatus = leader) =>
      metaserverStatuses(placesOf(NAMES), [first, follower, third])[2]?.reason;
    const removed = 'it was removed from the group, which takes it in again only with an empty folder';
    assert.equal(reasonOf({ ...follower, role: 'learner' }), removed);
    assert.equal(reasonOf({ ...follower, role: 'candidate', voters: NAMES }), removed);
    assert.equal(reasonOf({ ...follower, role: 'blank', voters: [] }), '');
    assert.equal(reasonOf({ ...follower, role: 'learner', learners: ['meta3'] }), '');
    assert.equal(reasonOf({ ...follower, role: 'follower', voters: NAMES }, { ...leader, learners: ['meta3'] }), '');
    // Nobody who could know it serves.
    assert.equal(reasonOf({ ...follower, role: 'candidate', voters: NAMES }, { ...leader, isServing: false }), '');
  });

  it('counts none that has come back blank, though the group counts what it was before', () => {
    const follower = { ...FOLLOWER, term: 4, voters: NAMES };
    for (const role of ['blank', 'learner'] as const) {
      const voters = role === 'blank' ? [] : NAMES;
      const learners = role === 'blank' ? [] : ['meta3'];
      const back: GroupStatus = { ...FOLLOWER, role, term: 4, voters, learners };
      assert.match(
        survivalText(cluster([{ ...LEADER, learners }, follower, back])),
        /\nNames and attributes survive the loss of no further metaserver \(2 of 3 are there, 2 must be\)\.$/,
      );
      assert.match(
        survivalText(cluster([follower, back, AWAY])),
        /nothing can be read: 1 of 3 metaservers is there, 2 must be/,
      );
    }
  });

  it('makes a cluster readable while one serves, and writable while that one takes changes', () => {
    const said = (...answers: (GroupStatus | Error)[]) => {
      const { readable, writable } = cluster(answers);
      return { readable, writable };
    };
    assert.deepEqual(said(LEADER, FOLLOWER, AWAY), { readable: true, writable: true });
    assert.deepEqual(said({ ...LEADER, trouble: 'full' }, FOLLOWER, FOLLOWER), { readable: true, writable: false });
    assert.deepEqual(said(LEADER, { ...FOLLOWER, trouble: 'full' }, FOLLOWER), { readable: true, writable: true });
    assert.deepEqual(said(FOLLOWER, FOLLOWER, FOLLOWER), { readable: false, writable: false });
    // It leads, and does not answer yet.
    assert.deepEqual(said({ ...LEADER, isServing: false }, FOLLOWER, AWAY), { readable: false, writable: false });
  });

  it('in words says how many may go, and that too few are there', () => {
    const follower = { ...FOLLOWER, term: 4, voters: NAMES };
    assert.match(
      survivalText(cluster([LEADER, follower, follower])),
      /\.\nNames and attributes survive the loss of 1 of 3 metaservers\.$/,
    );
    assert.match(
      survivalText(cluster([LEADER, follower, AWAY])),
      /^Now reads survive .*\nNames and attributes survive the loss of no further metaserver \(2 of 3 are there, 2 must be\)\.$/,
    );
    assert.equal(
      survivalText(cluster([follower, AWAY, AWAY])),
      'Now nothing can be read: 1 of 3 metaservers is there, 2 must be; writes wait.',
    );
    assert.equal(
      survivalText(cluster([follower, follower, AWAY])),
      'Now nothing can be read: the metaservers have no leader just now; writes wait.',
    );
    const learner = { ...FOLLOWER, role: 'learner', term: 4 } as const;
    const two = ['meta1', 'meta2'];
    assert.match(
      survivalText(cluster([{ ...LEADER, voters: two }, { ...follower, voters: two }, learner])),
      /\nNames and attributes survive the loss of no further metaserver \(2 of 2 are there, 2 must be\)\.$/,
    );
  });

  it('in a table has the role of each, and how many entries it is behind', () => {
    const follower = { ...FOLLOWER, term: 4, appliedIndex: 3, voters: NAMES };
    const text = statusText(cluster([LEADER, follower, AWAY]));
    assert.match(text, /^mediator +m:1 +up *$/m);
    assert.match(text, /^meta1 +meta1:1 +leader +1 *$/m);
    assert.match(text, /^meta2 +meta2:1 +follower +8 *$/m);
    assert.match(text, /^meta3 +meta3:1 +down +\? *$/m);
    assert.match(text, /^meta3: it does not answer$/m);
  });
});
