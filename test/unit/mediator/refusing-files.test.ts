import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import { SESSION_GRACE_MS } from '../../../src/protocol/services/sessions.js';
import { makeFile } from '../../support/fake-cluster.js';
import { openCluster, text } from './fixture.js';

describe('files, for a mount whose session is over', () => {
  it('refuse everything until it has begun another', async () => {
    const { cluster, mediator } = await openCluster();
    const { clock } = cluster.runtime;
    const { after } = clock;
    let silence = () => {};
    clock.after = (delayMs, action) => {
      if (delayMs === SESSION_GRACE_MS) silence = action;
      return after.call(clock, delayMs, action);
    };
    const inode = await makeFile(mediator, 'a');
    const options = { peer: {} };
    const begin = () => mediator.sessions.begin({ client: 'a', open: [], locks: [], mediator: null }, options);
    const extents = (data: string) => [{ offset: 0, data: Buffer.from(data) }];
    const write = (data: string) => mediator.files.write({ inode, extents: extents(data), modifyTimeNs: 1n }, options);
    await begin();
    await write('before');
    silence();
    const over = { code: 'NO_SESSION' };
    await assert.rejects(write('late!!'), over);
    await assert.rejects(mediator.files.read({ inode, offset: 0, length: 6 }, options), over);
    await assert.rejects(mediator.files.fsync({ inode }, options), over);
    await assert.rejects(mediator.files.unlink({ parent: ROOT_INODE, name: 'a', held: [] }, options), over);
    assert.equal(await text(mediator, inode), 'before', 'who never had a session may ask');
    await begin();
    await write('after!');
    assert.equal(await text(mediator, inode), 'after!');
    await mediator.sessions.end({}, options);
    await write('nobody');
  });
});
