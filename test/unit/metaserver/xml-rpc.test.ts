// What a metaserver says to people and scripts.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { XmlRpcValue } from '../../../src/protocol/http/xml-rpc.js';
import { BLOCK_BYTES, change, codeOf, ROOT, type TestMetaserver, withMetaserver } from './harness.js';

async function call(meta: TestMetaserver, method: string, ...parameters: XmlRpcValue[]): Promise<XmlRpcValue> {
  const found = meta.xmlRpc[method];
  if (found === undefined) throw new Error(`there is no method ${method}`);
  return found(...parameters);
}

describe("a metaserver's XML-RPC methods", () => {
  it('are those of the design', () =>
    withMetaserver(async (meta) => {
      assert.deepEqual(Object.keys(meta.xmlRpc).sort(), ['get', 'list', 'ping', 'status']);
      assert.equal(await call(meta, 'ping'), true);
    }));

  it('get attributes and the block map of a file, sparse as it may be', () =>
    withMetaserver(async (meta) => {
      const before = await meta.make(ROOT, 'before');
      await meta.fill(before.inode, 1, 50);
      const directory = await meta.make(ROOT, Buffer.from('Ordner ü').toString('latin1'), 'directory');
      const { inode } = await meta.make(directory.inode, 'file');
      const far = 2 ** 39;
      await meta.commit(inode, [change(0, 0, 1), change(far, 0, 2, 7)]);
      const after = await meta.make(ROOT, 'after');
      await meta.fill(after.inode, 1, 60);
      const got = await call(meta, 'get', '/Ordner ü/file');
      assert.deepEqual(got, {
        inode,
        kind: 'file',
        mode: 0o644,
        links: 1,
        uid: 10,
        gid: 20,
        size: far * BLOCK_BYTES + 7,
        allocated: BLOCK_BYTES + 7,
        accessed: new Date(0),
        modified: new Date(0),
        changed: new Date(0),
        blockSize: BLOCK_BYTES,
        revision: 2,
        blocks: [
          [0, 1, '0000000000000003', BLOCK_BYTES],
          [far, 2, '0000000000000006', 7],
        ],
      });
    }));

  it('get the target of a symbolic link', () =>
    withMetaserver(async (meta) => {
      await meta.make(ROOT, 'link', 'symlink');
      const got = await call(meta, 'get', '/link');
      assert.ok(typeof got === 'object' && got !== null && 'target' in got && got.target === 'over/there');
    }));

  it('list a directory', () =>
    withMetaserver(async (meta) => {
      await meta.make(ROOT, 'a');
      await meta.make(ROOT, Buffer.from('ü').toString('latin1'), 'directory');
      const listed = await call(meta, 'list', '/');
      assert.ok(Array.isArray(listed));
      assert.deepEqual(
        listed.map((entry) => (typeof entry === 'object' && entry !== null && 'name' in entry ? entry.name : entry)),
        ['a', 'ü'],
      );
    }));

  it('tell the state of the cluster', () =>
    withMetaserver(async (meta) => {
      await meta.do('registerServer', { name: 'data1', storeId: 'x', state: 'rebuilding' });
      const { clusterId } = await meta.ask('statistics', {});
      assert.deepEqual(await call(meta, 'status'), {
        clusterId,
        inodes: 1,
        blocks: 0,
        bytes: 0,
        garbage: 0,
        servers: [{ name: 'data1', storeId: 'x', state: 'rebuilding' }],
      });
    }));

  it('fail clearly for what is no path, or leads nowhere', () =>
    withMetaserver(async (meta) => {
      await meta.make(ROOT, 'file');
      assert.equal(await codeOf(call(meta, 'get')), 'EINVAL');
      assert.equal(await codeOf(call(meta, 'get', 7)), 'EINVAL');
      assert.equal(await codeOf(call(meta, 'get', 'relative')), 'EINVAL');
      await assert.rejects(call(meta, 'get', '/missing'), /ENOENT: \/missing/);
      await assert.rejects(call(meta, 'get', '/file/below'), /ENOTDIR: \/file\/below/);
      await assert.rejects(call(meta, 'list', '/file'), /ENOTDIR: \/file is a file/);
    }));
});
