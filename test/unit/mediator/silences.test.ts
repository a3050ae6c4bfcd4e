// A cut that ends just as the servers behind it were counted down is no reason for an error.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import type { Mediator } from '../../../src/mediator/mediator.js';
import { type FakeCluster, makeFile } from '../../support/fake-cluster.js';
import { openCluster, text, write } from './fixture.js';

const SHORTLY_MS = 1000;
const TOO_LATE_MS = 2000;

describe('data servers that fall silent all at once', () => {
  let cluster: FakeCluster;
  let mediator: Mediator;
  let inode: number;

  beforeEach(async () => {
    ({ cluster, mediator } = await openCluster());
    inode = await makeFile(mediator, 'a');
    await write(mediator, inode, 0, 'first');
  });

  function fallSilent(backAfterMs: number): void {
    for (const replica of cluster.replicas) {
      replica.fallSilent();
      cluster.runtime.clock.after(backAfterMs, () => replica.restart());
    }
  }

  it('are waited for by reads and writes when they are back shortly after', async () => {
    fallSilent(SHORTLY_MS);
    const [read] = await Promise.all([text(mediator, inode), write(mediator, inode, 5, ' second')]);
    assert.match(read, /^first/);
    assert.equal(await text(mediator, inode), 'first second');
  });

  it('are waited for by a write that they did not answer', async () => {
    for (const replica of cluster.replicas) replica.fault = 'hung';
    const writing = write(mediator, inode, 5, ' second');
    await cluster.runtime.clock.sleep(50);
    fallSilent(SHORTLY_MS);
    await writing;
    assert.equal(await text(mediator, inode), 'first second');
  });

  it('are waited for by a read that they did not answer', async () => {
    for (const replica of cluster.replicas) replica.fault = 'hung';
    const reading = text(mediator, inode);
    await cluster.runtime.clock.sleep(50);
    fallSilent(SHORTLY_MS);
    assert.equal(await reading, 'first');
  });

  it('are waited for no longer', async () => {
    fallSilent(TOO_LATE_MS);
    await Promise.all([
      assert.rejects(text(mediator, inode), { code: 'EIO' }),
      assert.rejects(write(mediator, inode, 5, ' second'), { code: 'EIO' }),
    ]);
  });

  it('are waited for where one that is back has nothing', async () => {
    const [blank, ...others] = cluster.replicas;
    blank?.crash();
    fallSilent(SHORTLY_MS);
    blank?.restart(true);
    for (const [at, replica] of others.entries()) {
      cluster.runtime.clock.after(at * 100, () => replica.restart());
    }
    const [read] = await Promise.all([text(mediator, inode), write(mediator, inode, 5, ' second')]);
    assert.match(read, /^first/);
    assert.equal(await text(mediator, inode), 'first second');
  });
});
