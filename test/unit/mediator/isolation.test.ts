import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Connections } from '../../../src/mediator/connections.js';
import { Isolation } from '../../../src/mediator/succession/isolation.js';
import { countReached } from '../../../src/mediator/succession/reach.js';
import { FileError, ServiceError } from '../../../src/protocol/errors.js';
import { serve } from '../../../src/protocol/http/server.js';
import type { CallOptions } from '../../../src/protocol/services/service.js';
import type { Remote } from '../../../src/protocol/wire/client.js';
import { nodeRuntime } from '../../../src/runtime/node/runtime.js';
import { freePorts } from '../../support/cluster.js';
import { ManualClock } from '../../support/manual-clock.js';

/** As far as isolation is concerned. */
function server(answer: () => Promise<object>): Pick<Remote, 'service'> {
  return { service: () => ({ reach: answer, status: answer }) as never };
}

describe('an active mediator that reaches too few data servers', () => {
  let clock: ManualClock;
  let isWell: boolean;
  let reached: number;
  let theirs: () => Promise<{ dataservers: number }>;
  let gaveWayTo: string[];
  let isolation: Isolation;

  beforeEach(() => {
    clock = new ManualClock();
    isWell = false;
    reached = 2;
    theirs = async () => ({ dataservers: 5 });
    gaveWayTo = [];
    isolation = made(Number.NEGATIVE_INFINITY);
  });

  const made = (staysUntilMs: number) =>
    new Isolation({
      isWell: () => isWell,
      reach: async () => reached,
      enough: 4,
      others: [
        { name: 'away', remote: server(() => Promise.reject(new ServiceError('UNREACHABLE', 'it is away'))) },
        { name: 'other', remote: server(() => theirs()) },
      ],
      clock,
      staysUntilMs,
      giveWay: (to) => gaveWayTo.push(to),
    });

  afterEach(async () => {
    isolation.close();
    // A comparison that is under way ends.
    await clock.advance(1000);
    assert.equal(clock.pending, 0);
  });

  it('gives way to one that reaches more, once', async () => {
    await clock.advance(5000);
    assert.deepEqual(gaveWayTo, ['other']);
  });

  it('stays where no other one reaches more', async () => {
    theirs = async () => ({ dataservers: 2 });
    await clock.advance(5000);
    assert.deepEqual(gaveWayTo, []);
  });

  it('stays where a server only was seen by the other one first, or refuses to be let in', async () => {
    reached = 5;
    await clock.advance(5000);
    let asked = 0;
    reached = 4;
    theirs = async () => ({ dataservers: asked++ % 2 === 0 ? 5 : 4 });
    await clock.advance(5000);
    assert.ok(asked > 2);
    assert.deepEqual(gaveWayTo, []);
  });

  it('stays while it reaches enough for a write', async () => {
    isWell = true;
    await clock.advance(5000);
    assert.deepEqual(gaveWayTo, []);
  });

  it('stays for a while where it has given way lately, unless it has been well since', async () => {
    isolation.close();
    isolation = made(clock.monotonicMs() + 10_000);
    await clock.advance(9000);
    assert.deepEqual(gaveWayTo, []);
    await clock.advance(3000);
    assert.deepEqual(gaveWayTo, ['other']);
    isolation = made(clock.monotonicMs() + 10_000);
    isWell = true;
    await clock.advance(1500);
    isWell = false;
    await clock.advance(3000);
    assert.deepEqual(gaveWayTo, ['other', 'other']);
  });

  it('gives way before it answers that there are too few, and answers everything else at once', async () => {
    const watched = isolation.watch({
      read: async (code: 'EIO' | 'ENOENT') => {
        throw new FileError(code, 'no read quorum');
      },
    });
    await assert.rejects(watched.read('ENOENT'), { code: 'ENOENT' });
    assert.deepEqual(gaveWayTo, []);
    const refused = assert.rejects(watched.read('EIO'), { code: 'EIO' });
    await clock.advance(500);
    await refused;
    assert.deepEqual(gaveWayTo, ['other']);
  });

  it('tries again what failed, once, when the servers have come back while it looked', async () => {
    let tries = 0;
    const watched = isolation.watch({
      write: async () => {
        tries++;
        if (tries === 1) throw new FileError('EIO', 'too few servers');
        return tries;
      },
      refuse: async () => {
        throw new FileError('EIO', 'too few servers');
      },
    });
    const comeBackDuring = async (result: Promise<unknown>): Promise<void> => {
      isWell = false;
      reached = 5;
      await clock.advance(120);
      isWell = true;
      await clock.advance(100);
      await result;
    };
    // It failed while there were too few.
    isWell = false;
    const written = watched.write();
    await comeBackDuring(written);
    assert.equal(await written, 2);
    isWell = false;
    await comeBackDuring(assert.rejects(watched.refuse(), { code: 'EIO' }));
    assert.deepEqual(gaveWayTo, []);
  });

  it('does not try again for a caller who has gone meanwhile', async () => {
    let tries = 0;
    const watched = isolation.watch({
      write: async (_request: object, _options: CallOptions) => {
        tries++;
        throw new FileError('EIO', 'too few servers');
      },
    });
    const caller = new AbortController();
    reached = 5;
    const refused = assert.rejects(watched.write({}, { signal: caller.signal }), { code: 'EIO' });
    await clock.advance(120);
    caller.abort();
    isWell = true;
    await clock.advance(100);
    await refused;
    assert.equal(tries, 1);
  });

  it('answers at once what failed while there were enough, and in the end what fails while they answer and are not let in', async () => {
    let tries = 0;
    const watched = isolation.watch({
      read: async () => {
        tries++;
        throw new FileError('EIO', 'no read quorum');
      },
    });
    isWell = true;
    await assert.rejects(watched.read(), { code: 'EIO' });
    isWell = false;
    reached = 5;
    const refused = assert.rejects(watched.read(), { code: 'EIO' });
    await clock.advance(5000);
    await refused;
    assert.equal(tries, 2);
  });
});

describe('a standby', () => {
  it('reaches the data servers that answer, whatever they answer', async () => {
    const failing = (code: 'FENCED' | 'UNREACHABLE' | 'DEADLINE') =>
      server(() => Promise.reject(new ServiceError(code, 'no')));
    const remotes = [server(async () => ({})), failing('FENCED'), failing('UNREACHABLE'), failing('DEADLINE')];
    assert.equal(await countReached(remotes.map((remote) => ({ remote: remote as never }))), 2);
  });

  it('reaches them although it is not connected to them yet', async () => {
    const runtime = nodeRuntime({ logLevel: 'error', logName: 'test' });
    const there = await serve({ address: '127.0.0.1:0', services: { blocks: { status: async () => ({}) } } }, runtime);
    const connections = new Connections({ deadlineMs: 3000 }, runtime);
    try {
      const [nobody = 0] = await freePorts(1);
      const peers = [there.address, `127.0.0.1:${nobody}`].map((address) => ({ name: address, address }));
      assert.equal(await countReached(connections.toProbed(peers)), 1);
    } finally {
      await connections.close();
      await there.close();
    }
  });
});
