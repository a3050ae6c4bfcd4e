// A metaserver as its process runs it: LMDB below, the network above.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { runMetaserver } from '../../../src/metaserver/main.js';
import type { MetadataService } from '../../../src/protocol/services/metadata.js';
import { connectRemote } from '../../../src/protocol/wire/client.js';
import { silentLog } from '../../../src/runtime/log.js';
import { nodeRuntime } from '../../../src/runtime/node/runtime.js';
import { change, codeOf, makeRequest, ROOT } from './harness.js';

const runtime = { ...nodeRuntime({ logLevel: 'error', logName: 'meta1' }), log: silentLog };

/** A running metaserver in a temporary folder, and a connection to it. */
async function withServer(
  test: (metadata: MetadataService, address: string, restart: () => Promise<MetadataService>) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'nmrfs-metaserver-'));
  const closers: (() => Promise<void>)[] = [];
  const start = async () => {
    const options = { name: 'meta1', address: '127.0.0.1:0', directory: join(directory, 'store') };
    const server = await runMetaserver(options, runtime);
    const remote = connectRemote(
      { address: server.address, name: 'meta1', deadlineMs: 5000, whileDown: 'wait' },
      runtime,
    );
    closers.push(async () => {
      await remote.close();
      await server.close();
    });
    return { metadata: remote.service<MetadataService>('metadata'), address: server.address };
  };
  const stop = async () => {
    for (const close of closers.splice(0)) await close();
  };
  try {
    const { metadata, address } = await start();
    await test(metadata, address, async () => {
      await stop();
      return (await start()).metadata;
    });
  } finally {
    await stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

describe('a metaserver on the network', () => {
  it('executes, answers and keeps through a restart', () =>
    withServer(async (metadata, _address, restart) => {
      const request = makeRequest(ROOT, 'file');
      const { attributes } = await metadata.execute({ name: 'make', timeNs: 7n, request, durable: false });
      const { inode } = attributes;
      const commit = {
        inode,
        changes: [change(0, 0, 1)],
        truncateTo: null,
        minimumSizeBytes: 4096,
        modifyTimeNs: 9n,
        missing: [],
      };
      const result = await metadata.execute({ name: 'commit', timeNs: 8n, request: commit, durable: true });
      assert.equal(result.state, 'committed');
      const value = Buffer.alloc(1000, 5);
      const xattr = { inode, name: 'user.large', value, mode: 'set' } as const;
      await metadata.execute({ name: 'setxattr', timeNs: 9n, request: xattr, durable: false });
      const again = await restart();
      const { blocks } = await again.query({ name: 'blocks', request: { inode, first: 0, count: 5 } });
      assert.deepEqual(blocks, [{ index: 0, version: 1, hash: 3n, length: 4096 }]);
      const got = await again.query({ name: 'getxattr', request: { inode, name: 'user.large' } });
      assert.deepEqual(Buffer.from(got.value), value);
      await again.sync({});
    }));

  it('of several says why it can not take part, though it serves already', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'nmrfs-metaserver-'));
    try {
      writeFileSync(join(directory, 'log'), 'in the way of the folder of that name');
      const lone = { name: 'meta1', address: '127.0.0.1:0', directory };
      await assert.rejects(runMetaserver(lone, runtime), { code: 'EEXIST' });
      const members = ['meta1', 'meta2'].map((name) => ({ name, address: '127.0.0.1:1' }));
      const group = { cluster: 'nmrfs', protocol: 'raft', members } as const;
      const { failed, close } = await runMetaserver({ ...lone, group }, runtime);
      assert.equal(((await failed) as { code?: string }).code, 'EEXIST');
      await close();
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it('carries errors of both kinds, and offers no other method', () =>
    withServer(async (metadata) => {
      assert.equal(await codeOf(metadata.query({ name: 'attributes', request: { inode: 99 } })), 'ENOENT');
      assert.equal(await codeOf(metadata.query({ name: 'attributes', request: { inode: -1 } })), 'MALFORMED');
      const stranger = metadata as unknown as Record<string, (request: object) => Promise<object>>;
      assert.equal(await codeOf(Promise.resolve(stranger.close?.({}))), 'UNKNOWN_METHOD');
    }));

  it('answers health, metrics and XML-RPC on the same port', () =>
    withServer(async (_metadata, address) => {
      assert.equal((await fetch(`http://${address}/healthz`)).status, 200);
      const metrics = await (await fetch(`http://${address}/metrics`)).text();
      assert.match(metrics, /nmrfs_metadata_inodes 1\n/);
      const body =
        '<?xml version="1.0"?><methodCall><methodName>list</methodName><params><param><value><string>/</string></value></param></params></methodCall>';
      const reply = await fetch(`http://${address}/RPC2`, { method: 'POST', body });
      assert.match(await reply.text(), /<array>/);
    }));
});
