// The leader among several metaservers over real connections: what a client sees of
// a server that is stopped, killed or leads no longer.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { followMetaservers, type Metaservers } from '../../../src/mediator/metadata/metaservers.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import { type RunningServer, serve } from '../../../src/protocol/http/server.js';
import { connectRemote, type Remote } from '../../../src/protocol/wire/client.js';
import { RepeatedCalls } from '../../../src/protocol/wire/repeated-calls.js';
import { nodeDisk } from '../../../src/runtime/node/disk.js';
import { nodeRandom } from '../../../src/runtime/node/random.js';
import { FOLLOWER } from '../../support/fake-metaserver.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MemoryNetwork } from '../../support/memory-network.js';
import { RecordingLog } from '../../support/recording-log.js';

const NAMES = ['meta1', 'meta2', 'meta3'];
const LOOKUP = { name: 'lookup', request: { parent: 1, name: 'd' } } as const;
const DEADLINE_MS = 5000;

describe('several metaservers over their connections', () => {
  let clock: ManualClock;
  let runtime: Parameters<typeof connectRemote>[1];
  let servers: Map<string, RunningServer>;
  let remotes: Remote[];
  let metaservers: Metaservers;
  let calls: RepeatedCalls;
  /** Who leads, in which term. */
  let leader: string;
  let term: number;
  /** Whether calls are left without an answer. */
  let isHung: boolean;
  /** Calls that have arrived, by the names of servers. */
  let asked: string[];

  async function start(name: string): Promise<void> {
    const metadata = {
      async query() {
        asked.push(name);
        if (name !== leader) throw new ServiceError('NOT_LEADER', `${name} follows`, leader);
        if (isHung) await new Promise(() => {});
        return { by: name };
      },
    };
    const group = {
      status: async () => ({ ...FOLLOWER, isServing: name === leader, term }),
    };
    servers.set(name, await serve({ address: `${name}:1`, services: { metadata, group } }, runtime));
  }

  async function stop(name: string): Promise<void> {
    await servers.get(name)?.close();
    servers.delete(name);
  }

  function elect(name: string): void {
    leader = name;
    term++;
  }

  /** Asks, and again whenever the call is lost. */
  async function ask(): Promise<string> {
    const reply = calls.repeat((limits) => metaservers.metadata.query(LOOKUP, limits));
    return ((await reply) as unknown as { by: string }).by;
  }

  beforeEach(async () => {
    clock = new ManualClock();
    const random = { fraction: () => 0.5, bytes: nodeRandom.bytes };
    runtime = { clock, network: new MemoryNetwork(), log: new RecordingLog(), random, disk: nodeDisk };
    servers = new Map();
    asked = [];
    isHung = false;
    leader = 'meta1';
    term = 1;
    for (const name of NAMES) await start(name);
    remotes = NAMES.map((name) =>
      connectRemote({ name, address: `${name}:1`, deadlineMs: DEADLINE_MS, whileDown: 'fail' }, runtime),
    );
    metaservers = followMetaservers({
      metaservers: NAMES.map((name, index) => ({ name, address: `${name}:1`, remote: remotes[index] as Remote })),
      deadlineMs: DEADLINE_MS,
      runtime,
    });
    calls = new RepeatedCalls(metaservers, DEADLINE_MS, clock);
    await clock.advance(50);
  });

  afterEach(async () => {
    metaservers.close();
    for (const remote of remotes) await remote.close();
    for (const name of [...servers.keys()]) await stop(name);
  });

  it('answer through the leader, though a call is under way when it is gone', async () => {
    assert.equal(await ask(), 'meta1');
    isHung = true;
    const asking = ask();
    await clock.advance(10);
    await stop('meta1');
    isHung = false;
    elect('meta3');
    await clock.advance(100);
    assert.equal(await asking, 'meta3');
    assert.deepEqual(asked, ['meta1', 'meta1', 'meta3']);
  });

  it('follow the hint that travels with a refusal', async () => {
    elect('meta2');
    const asking = ask();
    await clock.advance(50);
    assert.equal(await asking, 'meta2');
    assert.deepEqual(asked, ['meta1', 'meta2']);
  });

  it('keep a call waiting while two of three are gone, and answer it when one of them is back', async () => {
    await stop('meta1');
    await stop('meta2');
    leader = 'nobody';
    const asking = ask();
    await clock.advance(2000);
    elect('meta2');
    await start('meta2');
    await clock.advance(1000);
    assert.equal(await asking, 'meta2');
    assert.deepEqual(asked, ['meta2']);
  });

  it('end a call with its deadline when they stay away', async () => {
    for (const name of NAMES) await stop(name);
    const asking = assert.rejects(ask(), { code: 'DEADLINE' });
    await clock.advance(DEADLINE_MS);
    await asking;
  });
});
