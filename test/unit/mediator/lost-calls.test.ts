// Calls that the metaserver is killed under: what is asked again, and what must not be.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { LostCalls } from '../../../src/mediator/lost-calls.js';
import type { Mediator } from '../../../src/mediator/mediator.js';
import type { RemoteState } from '../../../src/protocol/client.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import { type FakeCluster, type Kill, makeFile, writeText } from '../../support/fake-cluster.js';
import { ManualClock } from '../../support/manual-clock.js';
import { BLOCK, CALLER, openCluster, text } from './fixture.js';

async function open(): Promise<{ cluster: FakeCluster; mediator: Mediator; inode: number }> {
  const opened = await openCluster();
  return { ...opened, inode: await makeFile(opened.mediator, 'a') };
}

const calls = ({ metadataCalls }: FakeCluster, name: string) => metadataCalls.get(name) ?? 0;

describe('a commit that the metaserver is killed under', () => {
  const table: Kill['when'][][] = [['before'], ['after'], ['before', 'before', 'before'], ['before', 'after', 'after']];
  for (const kills of table) {
    it(`${kills.join(', then ')} it was carried out: is carried out once`, async () => {
      const { cluster, mediator, inode } = await open();
      await writeText(mediator, inode, 'old bytes');
      const { revision } = await mediator.files.getattr({ inode });
      cluster.kills.push(...kills.map((when): Kill => ({ under: 'commit', when })));
      await writeText(mediator, inode, 'new');
      assert.equal(cluster.kills.length, 0);
      assert.equal(await text(mediator, inode), 'new bytes');
      assert.equal((await mediator.files.getattr({ inode })).revision, revision + 1);
    });
  }

  it('keeps what it put although another writer has replaced a part of it before it is asked again', async () => {
    const { cluster, mediator, inode } = await open();
    const other = await cluster.mediator({ maintenance: false });
    cluster.kills.push({ under: 'commit', when: 'after', meanwhile: () => writeText(other, inode, 'another') });
    const data = Buffer.alloc(2 * BLOCK, 'x');
    await mediator.files.write({ inode, extents: [{ offset: 0, data }], modifyTimeNs: 1n });
    // What is taken back goes in the background, the metaserver's disk first.
    await mediator.files.fsync({ inode });
    await new Promise((resolve) => setImmediate(resolve));
    for (const each of [mediator, other]) {
      await each.files.open({ inode, forWriting: false });
      assert.equal(await text(each, inode, 0, 10), 'anotherxxx');
      assert.equal(await text(each, inode, BLOCK, 10), 'xxxxxxxxxx');
    }
  });

  it('is not sent again when all it did was to cut, which could hit what others have written since', async () => {
    const { cluster, mediator, inode } = await open();
    const other = await cluster.mediator({ maintenance: false });
    await writeText(mediator, inode, 'old bytes');
    cluster.kills.push({ under: 'commit', when: 'after', meanwhile: () => writeText(other, inode, 'another') });
    const cut = mediator.files.setattr({ inode, changes: { sizeBytes: 0 }, caller: CALLER });
    await assert.rejects(cut, { code: 'UNREACHABLE' });
    assert.equal(await text(mediator, inode), 'another');
  });
});

describe('a sync that the metaserver is killed under', () => {
  it('is asked again when everything answered before is on its disk', async () => {
    const { cluster, mediator, inode } = await open();
    await writeText(mediator, inode, 'durable');
    cluster.kills.push({ under: 'sync', when: 'before' }, { under: 'sync', when: 'after' });
    const before = calls(cluster, 'sync');
    await mediator.files.fsync({ inode });
    assert.equal(calls(cluster, 'sync') - before, 3);
  });

  it('is asked again while a commit beside it is, as one fsync sends them', async () => {
    const { cluster, mediator, inode } = await open();
    await mediator.files.fsync({ inode });
    cluster.kills.push({ under: 'sync', when: 'before' }, { under: 'commit', when: 'after' });
    await Promise.all([writeText(mediator, inode, 'synced'), mediator.files.fsync({ inode })]);
    assert.equal(await text(mediator, inode), 'synced');
  });

  it('fails when that may have lost what was answered before', async () => {
    const { cluster, mediator, inode } = await open();
    await mediator.files.fsync({ inode });
    await mediator.files.setattr({ inode, changes: { mode: 0o600 }, caller: CALLER });
    cluster.kills.push({ under: 'sync', when: 'before' });
    await assert.rejects(mediator.files.fsync({ inode }), { code: 'UNREACHABLE' });
    await mediator.files.fsync({ inode });
  });
});

describe('a sync after the metaserver was lost', () => {
  async function changed() {
    const opened = await open();
    const { mediator, inode } = opened;
    await mediator.files.fsync({ inode });
    await mediator.files.setattr({ inode, changes: { mode: 0o600 }, caller: CALLER });
    return { ...opened, sync: () => mediator.files.fsync({ inode }) };
  }

  it('fails once when another process answers, which may not know what was answered before', async () => {
    const { cluster, sync } = await changed();
    cluster.restartMetaserver();
    await assert.rejects(sync(), { code: 'EIO' });
    await sync();
  });

  it('has mounts forget what they know then', async () => {
    const { cluster, mediator } = await changed();
    const options = { peer: {} };
    const { last } = await mediator.sessions.begin({ client: 'a', held: [], locks: [] }, options);
    const waiting = mediator.sessions.changes({ after: last }, options);
    cluster.restartMetaserver();
    assert.equal((await waiting).missed, true);
  });

  it('is answered when the same process is back', async () => {
    const { cluster, sync } = await changed();
    cluster.reconnectMetaserver();
    await sync();
  });

  it('is answered when all was durable, also when the connection to the new process breaks later', async () => {
    const { cluster, mediator, inode, sync } = await changed();
    await sync();
    cluster.restartMetaserver();
    await sync();
    await mediator.files.setattr({ inode, changes: { mode: 0o640 }, caller: CALLER });
    cluster.reconnectMetaserver();
    await sync();
  });

  it('fails when the process that was asked who it is was lost too', async () => {
    const { cluster, sync } = await changed();
    cluster.kills.push({ under: 'statistics', when: 'before' });
    cluster.restartMetaserver();
    await assert.rejects(sync(), { code: 'EIO' });
  });
});

describe('other calls that the metaserver is killed under', () => {
  it('are asked again when they change nothing, or only skip version numbers', async () => {
    const { cluster, mediator, inode } = await open();
    cluster.kills.push(
      { under: 'allocate', when: 'before' },
      { under: 'allocate', when: 'after' },
      { under: 'attributes', when: 'before' },
      { under: 'attributes', when: 'before' },
    );
    await writeText(mediator, inode, 'written');
    assert.equal((await mediator.files.getattr({ inode })).sizeBytes, 7);
    assert.equal(cluster.kills.length, 0);
  });

  it('fail when they change names, which nobody would recognise as a repetition', async () => {
    const { cluster, mediator } = await open();
    cluster.kills.push({ under: 'make', when: 'after' });
    await assert.rejects(makeFile(mediator, 'b'), { code: 'UNREACHABLE' });
    assert.equal(calls(cluster, 'make'), 2);
  });
});

describe('asking again', () => {
  const broken = new ServiceError('UNREACHABLE', 'the connection broke');

  function lostCalls(): { lost: LostCalls; clock: ManualClock; breaks: () => void } {
    const clock = new ManualClock();
    let change: (state: RemoteState) => void = () => {};
    const remote = {
      service: <T>() => ({}) as T,
      state: 'up' as const,
      onStateChange: (listener: (state: RemoteState) => void) => {
        change = listener;
      },
      close: async () => {},
    };
    const lost = new LostCalls(remote, 1000, clock);
    return { lost, clock, breaks: () => change('down') };
  }

  it('ends with the deadline, which all attempts share', async () => {
    const { lost, clock, breaks } = lostCalls();
    const limits: (number | undefined)[] = [];
    const calling = lost.repeat(async ({ deadlineMs }) => {
      limits.push(deadlineMs);
      await clock.advance(400);
      breaks();
      throw broken;
    });
    await assert.rejects(calling, broken);
    assert.deepEqual(limits, [1000, 600, 200]);
  });

  it('is no answer to a server that says itself that it failed', async () => {
    const { lost } = lostCalls();
    let asked = 0;
    const calling = lost.repeat(async () => {
      asked++;
      throw broken;
    });
    await assert.rejects(calling, broken);
    assert.equal(asked, 1);
  });
});
