// What a leader has on its way to a member: bounded, and nothing that heartbeats wait behind.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import { BLANK_HARD_STATE } from '../../../src/replication/core/core.js';
import { Raft } from '../../../src/replication/core/raft/raft.js';

const ELECTION_TICKS = 10;
const HEARTBEAT_TICKS = 2;
const MAXIMUM_APPEND_BYTES = 1000;
const MAXIMUM_IN_FLIGHT = 4;
const ENTRY_BYTES = 400;
const MEMBERS = { voters: ['a', 'b', 'c'], learners: [] };

type Sent = ReturnType<Raft['takeSends']>['messages'][number];

describe('a leader of Raft', () => {
  let core: Raft;
  let lastIndex: number;

  /** What it sends to b, when its disk has done all that it was asked for. */
  function sent(): Sent[] {
    const all: Sent[] = [];
    for (let writes = core.takeWrites(); writes !== null; writes = core.takeWrites()) {
      core.stored();
      all.push(...writes.afterwards);
    }
    return [...all, ...core.takeSends().messages].filter(({ to }) => to === 'b');
  }

  const ofKind = <K extends Sent['kind']>(messages: readonly Sent[], kind: K) =>
    messages.filter((message): message is Extract<Sent, { kind: K }> => message.kind === kind);

  const appended = (index: number) =>
    core.step({ kind: 'appended', from: 'b', to: 'a', term: 1, isMatch: true, index, hint: { index, term: 1 } });

  beforeEach(() => {
    core = new Raft(
      {
        ...{ self: 'a', electionTicks: ELECTION_TICKS, heartbeatTicks: HEARTBEAT_TICKS, fraction: () => 0 },
        ...{ maximumAppendBytes: MAXIMUM_APPEND_BYTES, maximumInFlight: MAXIMUM_IN_FLIGHT },
      },
      {
        ...{ hardState: BLANK_HARD_STATE, entries: [], damagedUpTo: 0 },
        mark: { index: 0, term: 0, members: MEMBERS },
      },
    );
    for (let tick = 0; tick < ELECTION_TICKS; tick++) core.tick();
    sent();
    core.step({ kind: 'vote', from: 'b', to: 'a', term: 1, isTrial: true, isGranted: true });
    sent();
    core.step({ kind: 'vote', from: 'b', to: 'a', term: 1, isTrial: false, isGranted: true });
    sent();
    assert.equal(core.status.role, 'leader');
    appended(1);
    sent();
    for (let entry = 0; entry < 40; entry++) lastIndex = core.propose(`entry ${entry}`, ENTRY_BYTES) ?? assert.fail();
  });

  it('puts no more entries into a message than it may, and has no more messages on their way', () => {
    const appends = ofKind(sent(), 'append');
    assert.equal(appends.length, MAXIMUM_IN_FLIGHT);
    for (const { first: from, last } of appends) assert.ok((last - from + 1) * ENTRY_BYTES <= MAXIMUM_APPEND_BYTES);
    assert.equal(ofKind(sent(), 'append').length, 0, 'nothing more before an answer');
    appended(appends[0]?.last ?? assert.fail());
    assert.equal(ofKind(sent(), 'append').length, 1, 'one for each that was answered');
  });

  it('sends heartbeats without entries while a member answers nothing', () => {
    sent();
    for (let tick = 0; tick < HEARTBEAT_TICKS; tick++) core.tick();
    const messages = sent();
    assert.equal(ofKind(messages, 'heartbeat').length, 1);
    assert.equal(ofKind(messages, 'append').length, 0);
  });

  it('asks a member anew, by one message, when what was on its way does not fit', () => {
    const first = ofKind(sent(), 'append');
    const { previousIndex } = first[0] ?? assert.fail();
    core.step({
      ...{ kind: 'appended', from: 'b', to: 'a', term: 1, isMatch: false },
      ...{ index: first[1]?.previousIndex ?? 0, hint: { index: previousIndex, term: 1 } },
    });
    const probes = ofKind(sent(), 'append');
    assert.equal(probes.length, 1);
    assert.equal(probes[0]?.previousIndex, previousIndex);
    appended(lastIndex);
    sent();
    assert.equal(core.status.role, 'leader');
  });
});
