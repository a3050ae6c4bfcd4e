// Bytes that were taken and could not be stored: who is told of them, and how often.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { FallocateMode } from '../../../src/fuse-client/posix/fallocate.js';
import { settle } from '../../support/manual-clock.js';
import { contentOf, Flags, fixture, stored, uninterrupted } from './fixture.js';

const MEBIBYTE = 2 ** 20;

describe('a write-back buffer that can not store what it has', () => {
  for (const kind of ['write', 'fallocate', 'seek'] as const) {
    it(`answers an fsync with the failure that ${kind} has answered before: bytes are lost all the same`, async () => {
      const parts = fixture();
      const { operations, files } = parts;
      const { handle } = await operations.files.open(await stored(parts, 'f', 'content'), Flags.WRITE);
      files.faults = { writes: 'EIO' };
      await operations.content.write(handle, 0, Buffer.alloc(9 * MEBIBYTE), {}, uninterrupted);
      await settle();
      files.faults = {};
      const calls = {
        write: () => operations.content.write(handle, 0, Buffer.from('x'), {}, uninterrupted),
        fallocate: () =>
          operations.content.fallocate(handle, 0, 1, FallocateMode.PUNCH_HOLE | FallocateMode.KEEP_SIZE, false),
        seek: () => operations.content.seek(handle, 0, 'data'),
      };
      await assert.rejects(calls[kind](), { code: 'EIO' });
      await calls[kind]();
      await assert.rejects(operations.files.fsync(handle), { code: 'EIO' });
      await operations.files.fsync(handle);
    });
  }

  it('answers a failure once at a handle whose every write is synchronous', async () => {
    const parts = fixture();
    const { operations, files } = parts;
    const inode = await stored(parts, 'f', '');
    const { handle } = await operations.files.open(inode, Flags.WRITE | Flags.SYNC);
    const other = await operations.files.open(inode, Flags.WRITE);
    files.faults = { writes: 'EIO' };
    await operations.content.write(other.handle, 0, Buffer.from('lost'), {}, uninterrupted);
    await assert.rejects(operations.files.fsync(other.handle), { code: 'EIO' });
    files.faults = {};
    await assert.rejects(operations.content.write(handle, 0, Buffer.from('x'), {}, uninterrupted), { code: 'EIO' });
    await operations.content.write(handle, 0, Buffer.from('x'), {}, uninterrupted);
    await operations.files.fsync(handle);
  });

  it('answers the failure of a write that was sent before its fsync came at that fsync, once', async () => {
    const parts = fixture();
    const { operations, files } = parts;
    const { handle } = await operations.files.open(await stored(parts, 'f', ''), Flags.WRITE);
    for (let offset = 0; offset < 3; offset++) {
      await operations.content.write(handle, offset, Buffer.from('x'), {}, uninterrupted);
      await operations.files.fsync(handle);
    }
    files.faults = { writes: 'EIO' };
    await operations.content.write(handle, 3, Buffer.from('lost'), {}, uninterrupted);
    await settle();
    files.faults = {};
    await assert.rejects(operations.files.fsync(handle), { code: 'EIO' });
    await operations.files.fsync(handle);
  });

  it('answers a failed write at each close of a handle until an fsync of it, drops the bytes and makes the kernel forget them', async () => {
    const parts = fixture();
    const { operations, files } = parts;
    const inode = await stored(parts, 'f', 'old');
    const first = await operations.files.open(inode, Flags.WRITE | Flags.TRUNCATE);
    const second = await operations.files.open(inode, Flags.BOTH);
    await operations.content.write(first.handle, 0, Buffer.from('lost'), {}, uninterrupted);
    files.faults = { writes: 'ENOSPC' };
    await assert.rejects(operations.files.flush(first.handle), { code: 'ENOSPC' });
    files.faults = {};
    // Another descriptor of the same open file.
    await assert.rejects(operations.files.flush(first.handle), { code: 'ENOSPC' });
    await assert.rejects(operations.files.fsync(first.handle), { code: 'ENOSPC' });
    await operations.files.fsync(first.handle);
    await operations.files.flush(first.handle);
    await assert.rejects(operations.files.fsync(second.handle), { code: 'ENOSPC' });
    await operations.files.fsync(second.handle);
    assert.equal(await contentOf(parts, inode), 'old');
    assert.equal((await operations.attributes.get(inode)).sizeBytes, 3);
    assert.deepEqual(parts.forgotten, [`content:${inode}`]);
    assert.equal(parts.log.named('writeback.failed').length, 1);
  });

  it('answers a failure in the background at the next write', async () => {
    const parts = fixture();
    const { operations, files } = parts;
    const inode = await stored(parts, 'f', '');
    const { handle } = await operations.files.open(inode, Flags.WRITE);
    files.faults = { writes: 'EIO' };
    await operations.content.write(handle, 0, Buffer.alloc(9 * MEBIBYTE), {}, uninterrupted);
    await settle();
    files.faults = {};
    await assert.rejects(operations.content.write(handle, 0, Buffer.from('x'), {}, uninterrupted), { code: 'EIO' });
    await operations.content.write(handle, 0, Buffer.from('later'), {}, uninterrupted);
    await assert.rejects(
      operations.files.flush(handle),
      { code: 'EIO' },
      'a close answers for all that came before it',
    );
    await operations.files.release(handle);
    assert.equal(parts.log.named('writeback.lost').length, 0, 'somebody was told');
    assert.equal(await contentOf(parts, inode), 'later');
  });

  it('logs no failure that a close has told of', async () => {
    const parts = fixture();
    const { operations, files, log } = parts;
    const { handle } = await operations.files.open(await stored(parts, 'f', 'old'), Flags.WRITE);
    await operations.content.write(handle, 0, Buffer.from('x'), {}, uninterrupted);
    files.faults = { writes: 'EIO' };
    await assert.rejects(operations.files.flush(handle), { code: 'EIO' });
    await operations.files.release(handle);
    assert.equal(log.named('writeback.lost').length, 0);
  });

  it('logs a failure that nobody is left to be told about', async () => {
    const parts = fixture();
    const inode = await stored(parts, 'f', 'old');
    const { handle } = await parts.operations.files.open(inode, Flags.WRITE);
    await parts.operations.content.write(handle, 0, Buffer.from('x'), {}, uninterrupted);
    parts.files.faults = { writes: 'EIO' };
    await parts.operations.files.release(handle);
    assert.equal(parts.log.named('writeback.lost').length, 1);
  });
});
