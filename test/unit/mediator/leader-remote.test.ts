// Several metaservers as one, against some that a test plays.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Counters } from '../../../src/mediator/counters.js';
import { MetaserverConnection } from '../../../src/mediator/metadata/metaserver-connection.js';
import { followMetaservers, type Metaservers } from '../../../src/mediator/metadata/metaservers.js';
import { retryingMetadata } from '../../../src/mediator/metadata/retrying-metadata.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { CallOptions } from '../../../src/protocol/services/service.js';
import { RequestIds } from '../../../src/protocol/values/request-ids.js';
import { testRuntime } from '../../support/fake-cluster.js';
import { FakeMetaserver, LONGEST_DEADLINE_MS } from '../../support/fake-metaserver.js';
import { ManualClock } from '../../support/manual-clock.js';
import { RecordingLog } from '../../support/recording-log.js';

const LOOKUP = { name: 'lookup', request: { parent: 1, name: 'd' } } as const;
const DEADLINE_MS = 5000;

describe('several metaservers', () => {
  let clock: ManualClock;
  let log: RecordingLog;
  let a: FakeMetaserver;
  let b: FakeMetaserver;
  let c: FakeMetaserver;
  let metaservers: Metaservers;
  /** What was heard, in order: states, and outcomes of calls. */
  let story: string[];

  beforeEach(async () => {
    clock = new ManualClock();
    log = new RecordingLog();
    [a, b, c] = ['a', 'b', 'c'].map((name) => new FakeMetaserver(name, clock)) as [
      FakeMetaserver,
      FakeMetaserver,
      FakeMetaserver,
    ];
    story = [];
    a.leads(1);
  });

  afterEach(async () => {
    metaservers.close();
    // Calls that were not answered end with their deadline; nothing is asked any more.
    await clock.advance(LONGEST_DEADLINE_MS);
    assert.equal(clock.pending, 0, 'no timer is left behind');
  });

  /** Begins, and lets pass what needs no time. */
  async function open(): Promise<void> {
    metaservers = followMetaservers({
      metaservers: [a, b, c],
      deadlineMs: DEADLINE_MS,
      runtime: { ...testRuntime([]), clock, log },
    });
    metaservers.onStateChange((state) => story.push(state));
    await clock.advance(0);
  }

  /** Makes a call whose outcome gets into the story. */
  function ask(options?: CallOptions): Promise<void> {
    return metaservers.metadata.query(LOOKUP, options).then(
      (result) => void story.push((result as unknown as { by: string }).by),
      (error: ServiceError) => void story.push(error.code),
    );
  }

  it('are asked who leads, and calls go there, also those that were made before', async () => {
    const opening = open();
    const early = ask();
    await Promise.all([opening, early]);
    await ask();
    assert.deepEqual(story, ['up', 'a', 'a']);
    assert.deepEqual([a.asked.length, b.asked.length, c.asked.length], [2, 0, 0]);
    assert.deepEqual(log.named('metadata.leader'), [{ server: 'a', term: 1 }]);
  });

  it('are found however far away they are', async () => {
    for (const each of [a, b, c]) each.statusMs = 1000;
    await open();
    const asked = ask();
    await clock.advance(5000);
    await asked;
    assert.deepEqual(story, ['up', 'a']);
  });

  it('lose the leader with its connection, and have the next one when it serves', async () => {
    await open();
    a.isHung = true;
    const lost = ask();
    a.disconnect();
    await lost;
    const waiting = ask();
    await clock.advance(700);
    assert.deepEqual(story, ['up', 'down', 'OUTCOME_UNKNOWN']);
    c.leads(2);
    await clock.advance(40);
    await waiting;
    assert.deepEqual(story, ['up', 'down', 'OUTCOME_UNKNOWN', 'up', 'c']);
    assert.deepEqual(b.asked, []);
  });

  it('have the same leader again when only its connection broke', async () => {
    await open();
    a.disconnect();
    a.reconnect();
    const asking = ask();
    await clock.advance(40);
    await asking;
    assert.deepEqual(story, ['up', 'down', 'up', 'a']);
  });

  it('follow the hint of a server that leads no longer, without waiting for one that hangs', async () => {
    await open();
    a.follows(2);
    a.answer = async () => {
      throw new ServiceError('NOT_LEADER', 'a follows', 'b');
    };
    a.isHung = false;
    b.leads(2);
    c.isHung = true;
    a.statusMs = 150;
    await ask();
    await ask();
    assert.equal(clock.monotonicMs(), 0);
    assert.deepEqual(story, ['up', 'down', 'NOT_LEADER', 'up', 'b']);
  });

  it('find the next leader without a hint, as soon as more than half of them have answered', async () => {
    await open();
    a.follows(2);
    a.answer = async () => {
      throw new ServiceError('NOT_LEADER', 'a follows');
    };
    b.leads(2);
    b.statusMs = 20;
    c.isHung = true;
    await ask();
    const asking = ask();
    await clock.advance(20);
    await asking;
    assert.deepEqual(story, ['up', 'down', 'NOT_LEADER', 'up', 'b']);
  });

  it('lose a leader that is being stopped, together with the other calls under way', async () => {
    await open();
    a.isHung = true;
    const other = ask();
    a.isHung = false;
    a.answer = async () => {
      throw new ServiceError('CLOSING', 'a is closing');
    };
    a.follows(1);
    await Promise.all([ask(), other]);
    assert.deepEqual(story, ['up', 'down', 'OUTCOME_UNKNOWN', 'CLOSING']);
  });

  it('leave a leader that hangs once another one serves in a later term, and never take its late reply', async () => {
    await open();
    a.isHung = true;
    const hung = ask();
    await clock.advance(249);
    assert.equal(b.statusesAsked, 1, 'nobody else is asked before');
    await clock.advance(251);
    assert.deepEqual(story, ['up']);
    b.leads(2);
    await clock.advance(30);
    await hung;
    await ask();
    assert.deepEqual(story, ['up', 'down', 'OUTCOME_UNKNOWN', 'up', 'b']);
    a.wake();
    await clock.advance(1000);
    assert.deepEqual(story, ['up', 'down', 'OUTCOME_UNKNOWN', 'up', 'b']);
  });

  it('stay with a leader that is slow while no other one serves, and ask the others no longer once it answers', async () => {
    await open();
    a.isHung = true;
    const slow = ask();
    await clock.advance(2000);
    assert.ok(b.statusesAsked > 10);
    a.wake();
    await slow;
    const before = b.statusesAsked;
    await clock.advance(2000);
    assert.equal(b.statusesAsked, before);
    assert.deepEqual(story, ['up', 'a']);
  });

  it('ask no others while calls are answered one after the other', async () => {
    await open();
    for (let n = 0; n < 20; n++) {
      a.isHung = true;
      const slow = ask();
      await clock.advance(200);
      a.wake();
      await slow;
    }
    assert.equal(b.statusesAsked, 1);
  });

  for (const slow of ['the earlier', 'the later'] as const) {
    it(`that claim to lead in different terms: the later one is taken, also when ${slow} one answers last`, async () => {
      b.leads(2);
      c.follows(1);
      c.statusMs = 150;
      (slow === 'the later' ? b : a).statusMs = 50;
      await open();
      const asking = ask();
      await clock.advance(60);
      await asking;
      assert.deepEqual(story, ['up', 'b']);
    });
  }

  it('of which only one can be asked, which leads, are followed after a while', async () => {
    b.isHung = true;
    c.disconnect();
    await open();
    assert.deepEqual(story, []);
    await clock.advance(250);
    await ask();
    assert.deepEqual(story, ['up', 'a']);
  });

  it('of which none serves keep calls waiting, and say so, until one does', async () => {
    a.follows(1);
    b.isHung = true;
    c.disconnect();
    await open();
    const waiting = ask();
    const impatient = ask({ deadlineMs: 1000 });
    const controller = new AbortController();
    const interrupted = ask({ signal: controller.signal });
    await clock.advance(500);
    controller.abort();
    await interrupted;
    await clock.advance(500);
    await impatient;
    assert.deepEqual(story, ['CANCELLED', 'DEADLINE']);
    await clock.advance(2500);
    assert.deepEqual(log.named('metadata.no_leader'), [
      { servers: { a: 'follower in term 1', b: 'b did not answer', c: "c can't be reached" } },
    ]);
    a.leads(7);
    b.wake();
    await clock.advance(40);
    await waiting;
    assert.deepEqual(story, ['CANCELLED', 'DEADLINE', 'up', 'a']);
  });

  it('pass on that the outcome is unknown while the leader stays, whose disk fails', async () => {
    await open();
    a.answer = async () => {
      throw new ServiceError('OUTCOME_UNKNOWN', 'its disk failed');
    };
    await ask();
    assert.deepEqual(story, ['up', 'OUTCOME_UNKNOWN']);
    assert.equal(a.asked.length, 1);
  });

  it('lose a leader that does not know an outcome because it leads no longer', async () => {
    await open();
    a.answer = async () => {
      a.follows(1);
      throw new ServiceError('OUTCOME_UNKNOWN', 'it lost its place');
    };
    await ask();
    assert.deepEqual(story, ['up', 'down', 'OUTCOME_UNKNOWN']);
    b.leads(2);
    const asking = ask();
    await clock.advance(40);
    await asking;
    assert.deepEqual(story.slice(3), ['up', 'b']);
  });

  it('that all refuse this side refuse its calls, and take them once they do not', async () => {
    for (const server of [a, b, c]) {
      server.remote.service = <T>(name: string) =>
        (name === 'group'
          ? {
              status: async () => {
                if (clock.monotonicMs() < 100) throw new ServiceError('REFUSED', 'the secret is wrong');
                return server.status;
              },
            }
          : { query: async () => ({ by: server.name }) }) as T;
    }
    const opening = open();
    await Promise.all([opening, ask()]);
    assert.deepEqual(story, ['REFUSED']);
    await clock.advance(150);
    await ask();
    assert.deepEqual(story, ['REFUSED', 'up', 'a']);
  });

  it('that are servers of another kind refuse calls', async () => {
    for (const server of [a, b, c]) {
      server.remote.service = <T>() =>
        ({
          status: async () => {
            throw new ServiceError('UNKNOWN_METHOD', 'there is no method group.status');
          },
        }) as T;
    }
    await Promise.all([open(), ask()]);
    assert.deepEqual(story, ['UNKNOWN_METHOD']);
  });

  it('that are closed fail what is under way and all that comes after', async () => {
    await open();
    a.isHung = true;
    const underWay = ask();
    metaservers.close();
    metaservers.close();
    await underWay;
    await ask();
    assert.deepEqual(story, ['up', 'down', 'OUTCOME_UNKNOWN', 'UNREACHABLE']);
    a.wake();
  });

  it('that are closed while none leads fail what waits', async () => {
    a.follows(1);
    await open();
    const waiting = ask();
    metaservers.close();
    await waiting;
    await ask();
    assert.deepEqual(story, ['UNREACHABLE', 'UNREACHABLE']);
  });

  it('are no error to a caller: a command under way is carried out by the next leader, under the same id', async () => {
    for (const server of [a, b, c]) {
      server.answer = async (method, request) => {
        const { name, id } = request as { name?: string; id?: unknown };
        if (name === 'statistics') return { clusterId: 'x', start: server.name, history: server.name };
        if (method === 'execute') ids.push(id);
        return {};
      };
    }
    const ids: unknown[] = [];
    await open();
    const connection = new MetaserverConnection({
      remote: metaservers,
      metadata: metaservers.metadata,
      deadlineMs: DEADLINE_MS,
      ids: new RequestIds('m'),
      counters: new Counters(),
      runtime: { ...testRuntime([]), clock },
      listener: { restarted: () => story.push('restarted'), outcomeUnknown: () => story.push('unknown') },
    });
    await connection.start();
    const service = retryingMetadata(connection);
    a.isHung = true;
    const command = service.execute({ name: 'rmdir', timeNs: 1n, request: { parent: 1, name: 'd' }, durable: false });
    await clock.advance(300);
    b.leads(2);
    await clock.advance(60);
    await command;
    a.wake();
    await clock.advance(0);
    assert.deepEqual(story, ['up', 'down', 'up', 'restarted']);
    assert.equal(ids.length, 2);
    assert.deepEqual(ids[0], ids[1]);
    connection.close();
  });
});
