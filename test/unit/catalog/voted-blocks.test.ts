// Blocks that lie in an nmrfs, asked for over the wire.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { hashOf } from '../../../src/catalog/blocks/blocks.js';
import { VotedBlocks } from '../../../src/catalog/blocks/voted-blocks.js';
import { CatalogError } from '../../../src/catalog/map/errors.js';
import { type RunningServer, serve } from '../../../src/protocol/http/server.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import { silentLog } from '../../../src/runtime/log.js';
import { nodeRuntime } from '../../../src/runtime/node/runtime.js';
import { MemoryFiles } from '../../support/memory-files.js';

describe('blocks in an nmrfs', () => {
  const runtime = { ...nodeRuntime({ logLevel: 'error', logName: 'test' }), log: silentLog };
  const files = new MemoryFiles(() => runtime.clock.nowNs());
  let server: RunningServer;
  let blocks: VotedBlocks;

  before(async () => {
    server = await serve({ address: '127.0.0.1:0', services: { files } }, runtime);
    blocks = new VotedBlocks(server.address, undefined, runtime);
  });

  after(async () => {
    await blocks.close();
    await server.close();
  });

  it('come back as they were, however often they are put', async () => {
    for (const content of ['', 'block', 'x'.repeat(300_000)]) {
      const bytes = Buffer.from(content);
      assert.equal(await blocks.has(hashOf(bytes)), false);
      assert.equal(await blocks.get(hashOf(bytes)), undefined);
      const hashes = await Promise.all([blocks.put(bytes), blocks.put(bytes)]);
      assert.deepEqual(hashes, [hashOf(bytes), hashOf(bytes)]);
      assert.deepEqual(Buffer.from((await blocks.get(hashOf(bytes))) ?? assert.fail()), bytes);
      assert.equal(await blocks.has(hashOf(bytes)), true);
    }
  });

  it('are files of one folder, named by their hashes', async () => {
    const { inode } = await files.lookup({ parent: ROOT_INODE, name: 'catalog-blocks' });
    const hash = await blocks.put(Buffer.from('named'));
    assert.equal((await files.lookup({ parent: inode, name: hash })).sizeBytes, 5);
  });

  it('are not given out when something else lies there', async () => {
    const hash = await blocks.put(Buffer.from('right'));
    const { inode: parent } = await files.lookup({ parent: ROOT_INODE, name: 'catalog-blocks' });
    const { inode } = await files.lookup({ parent, name: hash });
    await files.write({ inode, extents: [{ offset: 0, data: Buffer.from('wrong') }], modifyTimeNs: 0n });
    await assert.rejects(blocks.get(hash), CatalogError);
  });
});
