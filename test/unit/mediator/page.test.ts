// What the page is told of files and their votes, and what it may do to them.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Mediator } from '../../../src/mediator/mediator.js';
import { type ClusterFacts, servedPage, standbyPage } from '../../../src/mediator/page/served-page.js';
import type {
  ContentsAnswer,
  EventsAnswer,
  FolderAnswer,
  PageFileAnswer,
  VotesAnswer,
} from '../../../src/protocol/page/messages.js';
import { encodeName } from '../../../src/protocol/page/path-code.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import { eventually, makeFile } from '../../support/fake-cluster.js';
import { ManualClock } from '../../support/manual-clock.js';
import { BLOCK, openCluster, openWithFile, randomBytes, read, write } from './fixture.js';

async function ask<T>({ page }: Mediator, question: string, query: Record<string, string | number>): Promise<T> {
  const texts = Object.fromEntries(Object.entries(query).map(([key, value]) => [key, String(value)]));
  const answer = page.questions[question];
  assert.ok(answer !== undefined);
  return (await answer(texts)) as T;
}

async function change<T>({ page }: Mediator, name: string, request: Record<string, unknown>): Promise<T> {
  const carryOut = page.changes[name];
  assert.ok(carryOut !== undefined);
  return (await carryOut(request)) as T;
}

describe('the page of a mediator', () => {
  it('walks folders, whatever their entries are called', async () => {
    const { mediator } = await openCluster();
    const names = ['\xff odd', '<b>', 'a'.repeat(255)];
    for (const name of names) await makeFile(mediator, name);
    const { entries, done } = await ask<FolderAnswer>(mediator, 'folder', { path: '/' });
    assert.deepEqual(entries.map(({ name }) => name).toSorted(), names.toSorted());
    assert.ok(done);
    for (const { name, inode } of entries) {
      const file = await ask<PageFileAnswer>(mediator, 'file', { path: `/${encodeName(name)}` });
      assert.deepEqual([file.inode, file.path], [inode, `/${encodeName(name)}`]);
    }
  });

  it('knows a path of a file by its inode', async () => {
    const { mediator } = await openCluster();
    const text = await makeFile(mediator, 'a b');
    const odd = await makeFile(mediator, '\xff');
    assert.equal((await ask<PageFileAnswer>(mediator, 'file', { inode: text })).path, '/a%20b');
    assert.equal((await ask<PageFileAnswer>(mediator, 'file', { inode: odd })).path, '/%ff');
  });

  it('votes on a window of blocks, and leaves out holes', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    await write(mediator, inode, 0, randomBytes(2 * BLOCK));
    await write(mediator, inode, 5 * BLOCK, randomBytes(BLOCK));
    await cluster.replica(2).corrupt(inode, 1);
    const { servers, blocks, readQuorum } = await ask<VotesAnswer>(mediator, 'votes', { inode, first: 1, count: 64 });
    assert.deepEqual(servers, ['data1', 'data2', 'data3', 'data4', 'data5']);
    assert.deepEqual(
      blocks.map(({ index }) => index),
      [1, 5],
    );
    assert.equal(readQuorum, 3);
    const [block] = blocks;
    const agrees = block?.ballots.map((ballot) => ballot.state === 'present' && ballot.hash === block.witness);
    assert.deepEqual(agrees, [true, false, true, true, true]);
  });

  it('tells of a repair, and how long after the vote it was', async () => {
    const { mediator, inode } = await openWithFile();
    await write(mediator, inode, 0, randomBytes(BLOCK));
    assert.deepEqual(await change(mediator, 'corrupt', { inode, index: 0, servers: ['data1', 'data4'] }), {
      copies: 2,
    });
    await read(mediator, inode);
    const repairs = async () => {
      const { blocks } = await ask<VotesAnswer>(mediator, 'votes', { inode, first: 0, count: 1 });
      return blocks[0]?.repairs ?? [];
    };
    await eventually(async () => (await repairs()).length === 2);
    const made = await repairs();
    assert.deepEqual(made.map(({ server }) => server).toSorted(), ['data1', 'data4']);
    for (const { agoMs, afterMs } of made) assert.ok(agoMs >= 0 && afterMs !== null && afterMs >= 0);
  });

  it('says what a server holds of a file, and nothing of others', async () => {
    const { mediator, inode } = await openWithFile();
    const other = await makeFile(mediator, 'b');
    for (const each of [inode, other]) await write(mediator, each, 0, randomBytes(2 * BLOCK));
    const { entries } = await ask<ContentsAnswer>(mediator, 'contents', { server: 'data3', inode });
    assert.deepEqual(
      entries.map(({ index, length }) => [index, length]),
      [
        [0, BLOCK],
        [1, BLOCK],
      ],
    );
  });

  it('does for the guided runs what a program does, in a folder that goes again', async () => {
    const { cluster, mediator } = await openCluster();
    const { inode } = await change<{ inode: number }>(mediator, 'write', { name: 'story.txt', text: 'old' });
    assert.deepEqual(await change(mediator, 'read', { name: 'story.txt' }), { text: 'old' });
    for (const server of cluster.replicas.slice(0, 3)) await server.corrupt(inode, 0);
    assert.deepEqual(await change(mediator, 'read', { name: 'story.txt' }), { refused: 'EIO' });
    await change(mediator, 'clear', {});
    const { entries } = await mediator.files.readdir({ inode: ROOT_INODE, cookie: 0, limit: 10, attributes: false });
    assert.deepEqual(entries, []);
  });

  it('harms nothing where test hooks are off', async () => {
    const { mediator } = await openCluster({ testHooks: false });
    const inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, randomBytes(BLOCK));
    const requests: Record<string, Record<string, unknown>> = {
      corrupt: { inode, servers: ['data1'] },
      terminate: { server: 'data1' },
      restart: { server: 'data1', blank: true },
      hold: { server: 'data1', isHeld: true },
      configure: { key: 'readQuorum', value: '1' },
      write: { name: 'x', text: 'x' },
      read: { name: 'x' },
      clear: {},
    };
    assert.deepEqual(Object.keys(requests).toSorted(), Object.keys(mediator.page.changes).toSorted());
    for (const [name, request] of Object.entries(requests)) {
      await assert.rejects(change(mediator, name, request), { code: 'REFUSED' }, name);
    }
    const { blocks } = await ask<VotesAnswer>(mediator, 'votes', { inode, first: 0, count: 1 });
    assert.ok(blocks[0]?.ballots.every((ballot) => ballot.state === 'present' && ballot.hash === blocks[0]?.witness));
  });

  it('refuses requests of another shape', async () => {
    const { mediator } = await openCluster();
    for (const [name, request] of Object.entries({
      corrupt: { inode: -1, servers: ['data1'] },
      configure: { key: 'secret', value: 'x' },
      write: { name: '../etc/passwd', text: '' },
      terminate: {},
    })) {
      await assert.rejects(change(mediator, name, request), { code: 'MALFORMED' }, name);
    }
    await assert.rejects(ask(mediator, 'votes', { inode: 'x', first: 0, count: 1 }), { code: 'MALFORMED' });
    await assert.rejects(ask(mediator, 'votes', { inode: 1, first: 0, count: 1000 }), { code: 'MALFORMED' });
  });

  it('has a snapshot with latencies and what is allowed', async () => {
    const { mediator } = await openCluster();
    const snapshot = await mediator.page.snapshot();
    assert.equal(snapshot.role, 'active');
    assert.equal(snapshot.testHooks, true);
    assert.ok(snapshot.dataservers.every(({ latencyMs }) => latencyMs !== null));
  });

  it('keeps the last ten minutes, a sample every two seconds', async () => {
    const { cluster, mediator, inode } = await openWithFile();
    mediator.page.start();
    const { clock } = cluster.runtime;
    await write(mediator, inode, 0, randomBytes(BLOCK));
    await read(mediator, inode);
    const startMs = clock.monotonicMs();
    const untilMs = async (ms: number) => eventually(async () => clock.monotonicMs() >= startMs + ms);
    await untilMs(4000);
    const { samples: first, periodMs } = mediator.page.history();
    const total = (of: 'reads' | 'writes' | 'votes') =>
      Math.round(first.reduce((sum, sample) => sum + sample[of], 0) * (periodMs / 1000));
    assert.deepEqual([total('reads'), total('writes'), total('votes')], [1, 1, 1]);
    assert.ok(first.some(({ readP50, writeP99 }) => readP50 !== null && writeP99 !== null));
    await untilMs(700_000);
    assert.equal(mediator.page.history().samples.length, 300);
  });

  it('answers with no events where there are no logs', async () => {
    const { mediator } = await openCluster();
    assert.deepEqual((await ask<EventsAnswer>(mediator, 'events', {})).events, []);
  });
});

describe('the page of a standby', () => {
  it('passes on how the cluster is, and neither questions nor changes', async () => {
    const { mediator } = await openCluster();
    const standby = standbyPage(mediator.admin);
    const { role, dataservers, sample, testHooks }: ClusterFacts = await standby.snapshot();
    assert.deepEqual([role, dataservers.length, sample, testHooks], ['standby', 5, null, false]);
    const answer = servedPage(
      { name: 'mediator2', address: '127.0.0.1:1', page: new Map() },
      () => standby,
      new ManualClock(),
    );
    const request = { query: '', headers: { 'x-nmrfs-page': '1' }, body: Buffer.from('{"server":"data1"}') };
    for (const [method, path] of [
      ['GET', '/page/folder'],
      ['POST', '/page/terminate'],
    ] as const) {
      const reply = await answer?.({ ...request, method, path });
      assert.equal(reply?.status, 409);
      assert.match(String(reply?.body), /this mediator is a standby: ask the active one/);
    }
  });
});
