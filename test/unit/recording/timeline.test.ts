import assert from 'node:assert/strict';
import { EvenAxis, TrueAxis } from '../../../src/recording/axis.js';
import type { RecordedEvent, RecordingHeader } from '../../../src/recording/format.js';
import { explanation, headline, JUMPS } from '../../../src/recording/sentences.js';
import { isSteady, Timeline } from '../../../src/recording/timeline.js';

const EVENTS: RecordedEvent[] = [
  { t: 100, kind: 'message', from: 'a', to: 'b', name: 'append', arrived: 300 },
  { t: 150, kind: 'role', process: 'a', role: 'leader', term: 2 },
  { t: 200, kind: 'message', from: 'b', to: 'a', name: 'heartbeat', arrived: null },
  { t: 400, kind: 'state', process: 'a', state: 'crashes' },
  { t: 450, kind: 'link', from: 'a', to: 'b', isBoth: true, state: 'cut' },
  { t: 500, kind: 'election', process: 'b', term: 3 },
  { t: 500, kind: 'term', process: 'b', term: 3 },
  { t: 600, kind: 'link', from: 'b', to: 'a', isBoth: true, state: 'healed' },
  { t: 700, kind: 'state', process: 'a', state: 'starts' },
  { t: 710, kind: 'state', process: 'a', state: 'runs' },
  {
    ...{ t: 800, kind: 'vote', process: 'b', block: '7/0, version 1', readQuorum: 2, witness: '0a' },
    ballots: [
      { server: 'd1', ballot: { state: 'present', hash: '0a' } },
      { server: 'd2', ballot: { state: 'present', hash: '0b' } },
    ],
  },
  {
    t: 900,
    kind: 'note',
    process: 'b',
    level: 'warn',
    text: 'replica.down',
    event: 'replica.down',
    fields: { server: 'd2' },
  },
];

const HEADER: RecordingHeader = {
  nmrfs: 'recording',
  version: 1,
  title: 'test',
  clock: 'virtual',
  processes: [{ name: 'b', kind: 'metaserver' }],
};

function timeline(hide?: (event: RecordedEvent) => boolean): Timeline {
  return new Timeline({ header: HEADER, events: EVENTS, problem: null }, hide);
}

describe('a recording as it is looked at', () => {
  it('has a lane for each process, the named ones first', () => {
    assert.deepEqual(
      timeline().lanes.map(({ name, kind }) => `${name} ${kind}`),
      ['b metaserver', 'a client'],
    );
  });

  it('knows what each process was at any moment', () => {
    const at = (us: number) =>
      timeline()
        .statesAt(us)
        .map(({ lane, life, role, term }) => `${lane.name} ${life} ${role} ${term}`)
        .join('; ');
    assert.equal(at(120), 'b up null null; a up null null');
    assert.equal(at(160), 'b up null null; a up leader 2');
    assert.equal(at(420), 'b up null null; a down null null');
    assert.equal(at(705), 'b up null 3; a starting null null');
    assert.equal(at(720), 'b up null 3; a up null null');
  });

  it('knows which links were cut', () => {
    assert.deepEqual(timeline().cutsAt(440), []);
    assert.equal(timeline().cutsAt(500).length, 1);
    assert.deepEqual(timeline().cutsAt(600), []);
  });

  it('finds what is to be seen within a time, messages on their way included', () => {
    const line = timeline();
    const kinds = (from: number, to: number) => line.within(from, to).map((at) => line.events[at]?.kind);
    assert.deepEqual(kinds(250, 260), ['message']);
    assert.deepEqual(kinds(190, 200), ['message', 'message']);
    assert.deepEqual(kinds(301, 399), []);
    assert.equal(line.countWithin(500, 500), 2);
  });

  it('finds the next event of a kind, and the one before', () => {
    const line = timeline();
    assert.equal(line.find(-1, 1, JUMPS.crash[1]), 3);
    assert.equal(line.find(3, 1, JUMPS.crash[1]), 8);
    assert.equal(line.find(3, -1, JUMPS.crash[1]), null);
    assert.equal(line.find(-1, 1, JUMPS.lost[1]), 2);
    assert.equal(line.find(-1, 1, JUMPS.refused[1]), 10);
    assert.equal(line.find(-1, 1, JUMPS.dissent[1]), 10);
  });

  it('hides what is not to be seen', () => {
    const line = timeline((event) => event.kind === 'message' && isSteady(event));
    assert.equal(line.events.length, EVENTS.length - 1);
  });

  it('agrees with a slow search about what is within, for any times and delays', () => {
    const events: RecordedEvent[] = Array.from({ length: 400 }, (_, at) => ({
      ...{ kind: 'message', from: 'a', to: 'b', name: 'm' },
      t: at * 7,
      arrived: at * 7 + ((at * 37) % 50 === 0 ? 1500 : (at * 13) % 90),
    }));
    const line = new Timeline({ header: { ...HEADER, processes: [] }, events, problem: null });
    for (let from = 0; from < 2800; from += 131) {
      const slow = events.flatMap((event, at) =>
        event.kind === 'message' && event.t <= from + 60 && (event.arrived ?? 0) >= from ? [at] : [],
      );
      assert.deepEqual(line.within(from, from + 60), slow);
    }
  });
});

describe('the axis of a diagram', () => {
  it('is true to scale', () => {
    const axis = new TrueAxis(100, 900);
    assert.equal(axis.unitOf(350), 250);
    assert.equal(axis.usOf(250), 350);
  });

  it('has a step for each thing that happens, and none for silence', () => {
    const axis = new EvenAxis(EVENTS, 100, 900);
    assert.equal(axis.unitOf(100), 0);
    assert.equal(axis.unitOf(150), 1);
    assert.equal(axis.unitOf(175), 1.5);
    assert.equal(axis.unitOf(900), axis.units);
    for (const us of [100, 130, 299, 300, 700, 850, 900]) assert.ok(Math.abs(axis.usOf(axis.unitOf(us)) - us) < 1e-6);
    assert.equal(axis.usOf(-5), 100);
    assert.equal(axis.usOf(1e9), 900);
  });
});

describe('sentences of a recording', () => {
  it('are there for every event', () => {
    const seen = EVENTS.map(headline);
    assert.equal(seen[0], 'a → b: append');
    assert.equal(seen[2], 'b → a: heartbeat, lost');
    assert.equal(seen[4], 'a and b are cut off from each other');
    assert.equal(seen[10], 'b votes on block 7/0, version 1: 1 of 2 agree');
    for (const text of seen) assert.notEqual(text, '');
  });

  it('explain votes and events as elsewhere', () => {
    const vote = EVENTS[10] ?? assert.fail();
    assert.match(explanation(vote), /^Only one of two matches the witness and two must \(Qr\)/);
    assert.match(explanation(EVENTS[11] ?? assert.fail()), /^d2 cannot be reached/);
    assert.equal(explanation(EVENTS[0] ?? assert.fail()), 'It arrived after 200 µs.');
  });
});
