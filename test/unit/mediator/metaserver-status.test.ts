// What status says of one metaserver and of several, and what it says when too few are there.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { statusText, survivalText } from '../../../src/cli/status-text.js';
import { survivalNow } from '../../../src/mediator/admin/cluster-status.js';
import { askGroup, metaserverStatuses } from '../../../src/mediator/admin/metaserver-status.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { ClusterStatus, DataServerStatus } from '../../../src/protocol/services/admin.js';
import type { GroupStatus } from '../../../src/protocol/services/group.js';
import { FakeMetaserver, FOLLOWER } from '../../support/fake-metaserver.js';
import { ManualClock } from '../../support/manual-clock.js';

const HEALTH = { trouble: null, reason: '', freeBytes: 5, totalBytes: 10, missed: [] };
const NAMES = ['meta1', 'meta2', 'meta3'];
const AWAY = new Error('it does not answer');

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
function cluster(answers: (GroupStatus | Error)[], names = NAMES): ClusterStatus {
  const metaservers = metaserverStatuses(placesOf(names), answers, new Error('nobody leads'));
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
    one.status = LEADER;
    two.status = {
      ...FOLLOWER,
      term: 4,
      lastIndex: 9,
      trouble: 'full',
      reason: 'no room',
      freeBytes: 1,
      totalBytes: 2,
    };
    three.isHung = true;
    const asking = askGroup(servers);
    await clock.advance(300);
    const [first, second, third] = metaserverStatuses(servers, await asking, AWAY);
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
      [third?.state, third?.role, third?.isVoter, third?.reason],
      ['down', 'crashed', true, 'meta3 did not answer'],
    );
  });

  it('takes the word of the latest term for who votes', () => {
    const old = { ...LEADER, term: 3, voters: ['meta1'] };
    const statuses = metaserverStatuses(placesOf(NAMES), [old, { ...FOLLOWER, term: 4, voters: NAMES }, AWAY], AWAY);
    assert.deepEqual(
      statuses.map(({ isVoter }) => isVoter),
      [true, true, true],
    );
    const learner: GroupStatus = { ...FOLLOWER, role: 'learner', term: 4, voters: ['meta1', 'meta2'] };
    const voters = [{ ...LEADER, voters: ['meta1', 'meta2'] }, { ...FOLLOWER, term: 4, voters: ['meta1'] }, learner];
    assert.deepEqual(
      metaserverStatuses(placesOf(NAMES), voters, AWAY).map(({ isVoter }) => isVoter),
      [true, true, false],
    );
  });

  it('of a lone one is what it says as a metaserver, also when it knows of no group', () => {
    const older = new ServiceError('UNKNOWN_METHOD', 'there is no method group.status');
    const [lone] = metaserverStatuses(placesOf(['meta1']), [older], HEALTH);
    assert.deepEqual(
      [lone?.state, lone?.role, lone?.isServing, lone?.isVoter, lone?.reason, lone?.freeBytes],
      ['up', 'leader', true, true, '', 5],
    );
    const full = { ...HEALTH, trouble: 'full', reason: 'no room' } as const;
    const [known] = metaserverStatuses(placesOf(['meta1']), [LEADER], full);
    assert.deepEqual([known?.term, known?.committedIndex, known?.trouble, known?.reason], [4, 11, 'full', 'no room']);
    const [gone] = metaserverStatuses(placesOf(['meta1']), [LEADER], AWAY);
    assert.deepEqual([gone?.state, gone?.isServing, gone?.reason], ['down', false, 'it does not answer']);
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
