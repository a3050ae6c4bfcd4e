// Metaservers that are added while a mediator follows others, or the only one.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { followMetaservers, type Metaservers } from '../../../src/mediator/metadata/metaservers.js';
import { testRuntime } from '../../support/fake-cluster.js';
import { FakeMetaserver, LONGEST_DEADLINE_MS } from '../../support/fake-metaserver.js';
import { ManualClock } from '../../support/manual-clock.js';
import { RecordingLog } from '../../support/recording-log.js';

const LOOKUP = { name: 'lookup', request: { parent: 1, name: 'd' } } as const;
const DEADLINE_MS = 5000;
const ADDRESS = '127.0.0.1:4';

describe('metaservers that are added to those that a mediator follows', () => {
  let clock: ManualClock;
  let log: RecordingLog;
  let metaservers: Metaservers;
  /** Those that were connected to since the beginning, with where they are. */
  let connected: string[];

  beforeEach(() => {
    clock = new ManualClock();
    log = new RecordingLog();
    connected = [];
  });

  afterEach(async () => {
    metaservers.close();
    await clock.advance(LONGEST_DEADLINE_MS);
    assert.equal(clock.pending, 0, 'no timer is left behind');
  });

  function servers(...names: string[]): FakeMetaserver[] {
    return names.map((name) => new FakeMetaserver(name, clock));
  }

  /** @param added those that may come later */
  async function follow(first: FakeMetaserver[], added: FakeMetaserver[]): Promise<void> {
    metaservers = followMetaservers({
      metaservers: first,
      connect: (server) => {
        connected.push(`${server.name} at ${server.address}`);
        const { remote } = added.find(({ name }) => name === server.name) ?? assert.fail(`no ${server.name}`);
        return { ...server, remote };
      },
      deadlineMs: DEADLINE_MS,
      runtime: { ...testRuntime([]), clock, log },
    });
    await clock.advance(0);
  }

  /** Who answers. */
  async function ask(): Promise<string> {
    return ((await metaservers.metadata.query(LOOKUP)) as unknown as { by: string }).by;
  }

  it('are heard of from one of these, and lead', async () => {
    const [a, b, c, d] = servers('a', 'b', 'c', 'd') as [
      FakeMetaserver,
      FakeMetaserver,
      FakeMetaserver,
      FakeMetaserver,
    ];
    a.leads(1);
    await follow([a, b, c], [d]);
    d.leads(2);
    b.status = { ...b.status, term: 2, leader: 'd', servers: [{ name: 'd', address: ADDRESS }] };
    c.follows(2);
    a.disconnect();
    await clock.advance(500);
    assert.equal(await ask(), 'd');
    assert.deepEqual(connected, [`d at ${ADDRESS}`]);
  });

  it('lead when the only one before them is gone', async () => {
    const [a, d] = servers('a', 'd') as [FakeMetaserver, FakeMetaserver];
    a.leads(1);
    await follow([a], [d]);
    assert.equal(await ask(), 'a');
    metaservers.learn([{ name: 'd', address: ADDRESS }]);
    d.leads(2);
    a.disconnect();
    await clock.advance(500);
    assert.equal(await ask(), 'd');
  });

  it('are asked, too, when the only one before them has lost its place to one of them', async () => {
    const [a, d, e] = servers('a', 'd', 'e') as [FakeMetaserver, FakeMetaserver, FakeMetaserver];
    a.leads(1);
    await follow([a], [d, e]);
    assert.equal(await ask(), 'a');
    metaservers.learn(['d', 'e'].map((name) => ({ name, address: ADDRESS })));
    // The first one does not know of that yet, and answers first.
    for (const other of [d, e]) other.statusMs = 100;
    d.leads(2);
    e.follows(2);
    a.disconnect();
    a.reconnect();
    await clock.advance(500);
    assert.equal(metaservers.leader, 'd');
    assert.deepEqual(log.named('metadata.leader').at(1), { server: 'd', term: 2 });
  });
});
