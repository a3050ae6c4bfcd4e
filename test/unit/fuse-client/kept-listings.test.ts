// Whether the kernel may read again what it keeps of a directory's last listing.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  OPEN_REPLY_CACHE_DIRECTORY,
  OPEN_REPLY_KEEP_CACHE,
  Opcode,
} from '../../../src/fuse-client/kernel/codec/layout.js';
import { ListedDirectories } from '../../../src/fuse-client/kernel/known/listed-directories.js';
import { settle } from '../../support/manual-clock.js';
import { fixture } from './fixture.js';
import { requestBytes, u32, u64 } from './request-bytes.js';
import { sessionOver } from './session-fixture.js';

describe('a listing that the kernel keeps', () => {
  it('is read again while the attributes of its entries hold for a while longer', async () => {
    const parts = fixture();
    const { receive, replies } = sessionOver(parts);
    const openFlags = async () => {
      receive(requestBytes({ opcode: Opcode.OPENDIR }, u32(0, 0)));
      await settle();
      return replies.at(-1)?.body.readUInt32LE(8);
    };
    const read = async (offset: number) => {
      const handle = replies.at(-1)?.body.readBigUInt64LE(0) ?? 0n;
      receive(requestBytes({ opcode: Opcode.READDIRPLUS }, u64(handle, offset), u32(4096, 0), u64(0), u32(0, 0)));
      await settle();
      assert.equal(replies.at(-1)?.error, 0);
    };
    const kept = OPEN_REPLY_CACHE_DIRECTORY | OPEN_REPLY_KEEP_CACHE;
    assert.equal(await openFlags(), OPEN_REPLY_CACHE_DIRECTORY);
    await read(0);
    assert.equal(await openFlags(), kept);
    // The attributes are believed for a second.
    await parts.clock.advance(499);
    assert.equal(await openFlags(), kept);
    await parts.clock.advance(2);
    assert.equal(await openFlags(), OPEN_REPLY_CACHE_DIRECTORY);
    // The rest of a listing says nothing of its start.
    await read(2);
    assert.equal(await openFlags(), OPEN_REPLY_CACHE_DIRECTORY);
  });

  it('is read anew after anything that other mounts have changed', () => {
    const listed = new ListedDirectories(1000);
    listed.note(5, 0, 7);
    assert.ok(listed.mayKeep(5, 100, 7));
    assert.ok(!listed.mayKeep(5, 100, 8));
    assert.ok(!listed.mayKeep(6, 100, 7));
  });
});
