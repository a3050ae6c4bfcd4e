// Leaders that are gone before anybody has asked them, or hang when they are asked what they are; and what is left when the mediator
// is closed meanwhile.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { followMetaservers, type Metaservers } from '../../../src/mediator/metadata/metaservers.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import { RepeatedCalls } from '../../../src/protocol/wire/repeated-calls.js';
import { testRuntime } from '../../support/fake-cluster.js';
import { FakeMetaserver, LONGEST_DEADLINE_MS } from '../../support/fake-metaserver.js';
import { ManualClock } from '../../support/manual-clock.js';

const LOOKUP = { name: 'lookup', request: { parent: 1, name: 'd' } } as const;
const DEADLINE_MS = 5000;

describe('a leader among several metaservers', () => {
  let clock: ManualClock;
  let servers: [FakeMetaserver, FakeMetaserver, FakeMetaserver];
  let metaservers: Metaservers;
  let calls: RepeatedCalls;
  /** What was heard, in order: states, and outcomes of calls. */
  let story: string[];

  beforeEach(() => {
    clock = new ManualClock();
    const made = (name: string) => new FakeMetaserver(name, clock);
    servers = [made('a'), made('b'), made('c')];
    servers[0].leads(1);
    story = [];
  });

  afterEach(async () => {
    metaservers.close();
    for (const server of servers) server.wake();
    await clock.advance(LONGEST_DEADLINE_MS);
    assert.equal(clock.pending, 0, 'no timer is left behind');
  });

  /** Begins, and lets pass what needs no time. */
  async function open(): Promise<void> {
    metaservers = followMetaservers({
      metaservers: servers,
      deadlineMs: DEADLINE_MS,
      runtime: { ...testRuntime([]), clock },
    });
    calls = new RepeatedCalls(metaservers, DEADLINE_MS, clock);
    metaservers.onStateChange((state) => story.push(state));
    await clock.advance(0);
  }

  function told(asking: Promise<object>): Promise<void> {
    return asking.then(
      (result) => void story.push((result as { by: string }).by),
      (error: ServiceError) => void story.push(error.code),
    );
  }

  const ask = () => told(metaservers.metadata.query(LOOKUP));

  it('is left at the first call when its connection broke before it was taken', async () => {
    const [a, b, c] = servers;
    b.statusMs = 10;
    c.statusMs = 10;
    await open();
    await clock.advance(5);
    a.disconnect();
    const asking = told(calls.repeat((limits) => metaservers.metadata.query(LOOKUP, limits)));
    await clock.advance(20);
    assert.deepEqual(story, ['up', 'down']);
    assert.equal(metaservers.leader, null);
    b.leads(2);
    await clock.advance(100);
    await asking;
    assert.deepEqual(story, ['up', 'down', 'up', 'b']);
    assert.equal(metaservers.leader, 'b');
  });

  it('that does not know an outcome is lost when it does not say either what it is', async () => {
    const [a, b] = servers;
    await open();
    a.answer = async () => {
      a.isHung = true;
      throw new ServiceError('OUTCOME_UNKNOWN', 'it lost its place');
    };
    const asking = ask();
    await clock.advance(199);
    assert.deepEqual(story, ['up']);
    await clock.advance(1);
    await asking;
    assert.deepEqual(story, ['up', 'down', 'OUTCOME_UNKNOWN']);
    b.leads(2);
    const next = ask();
    await clock.advance(300);
    await next;
    assert.deepEqual(story.slice(3), ['up', 'b']);
  });

  it('is asked in vain what it is when all is closed meanwhile: the call fails once, and nothing is looked for', async () => {
    const [a, b] = servers;
    await open();
    a.answer = async () => {
      a.isHung = true;
      throw new ServiceError('OUTCOME_UNKNOWN', 'it lost its place');
    };
    const asking = ask();
    await clock.advance(50);
    const asked = b.statusesAsked;
    metaservers.close();
    await asking;
    b.leads(2);
    a.wake();
    await clock.advance(1000);
    assert.deepEqual(story, ['up', 'down', 'OUTCOME_UNKNOWN']);
    assert.equal(b.statusesAsked, asked);
  });

  it('that hangs is forgotten with its rivals when all is closed', async () => {
    const [a, b] = servers;
    await open();
    a.isHung = true;
    const asking = ask();
    await clock.advance(400);
    const asked = b.statusesAsked;
    assert.ok(asked > 2, 'the others are asked');
    metaservers.close();
    await asking;
    b.leads(2);
    await clock.advance(1000);
    assert.deepEqual(story, ['up', 'down', 'OUTCOME_UNKNOWN']);
    assert.equal(b.statusesAsked, asked);
  });
});
