// After changes were lost with the mediator and the metaserver: which calls tell of it, and which must not.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { FallocateMode } from '../../../src/fuse-client/posix/fallocate.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import type { RemoteState } from '../../../src/protocol/wire/client.js';
import { RepeatedCalls } from '../../../src/protocol/wire/repeated-calls.js';
import { ManualClock, settle } from '../../support/manual-clock.js';
import { CALLER, type Fixture, Flags, fixture, uninterrupted } from './fixture.js';
import { chmod, crashBoth, fileInFolder, LOST, mounted, sync } from './lost-changes.js';

const MEBIBYTE = 2 ** 20;

describe('calls after a loss of changes', () => {
  async function lossAt(parts: Fixture, flags: number): Promise<number> {
    const { file } = await fileInFolder(parts);
    const { handle } = await parts.operations.files.open(file, flags);
    await chmod(parts, file);
    crashBoth(parts);
    await sync(parts);
    return handle;
  }

  for (const [name, flags] of Object.entries({ reading: Flags.READ, writing: Flags.WRITE })) {
    it(`tell of it at the close that makes the name of a new file durable, open for ${name}`, async () => {
      const parts = await mounted();
      const { operations } = parts;
      const { handle } = await operations.files.create(ROOT_INODE, 'new', 0o644, flags, CALLER);
      crashBoth(parts);
      await assert.rejects(operations.files.flush(handle), LOST);
      await assert.rejects(operations.files.flush(handle), LOST);
      await assert.rejects(operations.files.fsync(handle), LOST);
      await operations.files.flush(handle);
    });
  }

  it('do not tell at a later close of a handle that is open for reading, whose name is durable', async () => {
    const parts = await mounted();
    const { operations } = parts;
    const { handle, attributes } = await operations.files.create(ROOT_INODE, 'new', 0o644, Flags.READ, CALLER);
    await operations.files.flush(handle);
    await chmod(parts, attributes.inode);
    crashBoth(parts);
    await sync(parts);
    await operations.files.flush(handle);
    await assert.rejects(operations.files.fsync(handle), LOST);
  });

  for (const [name, flags] of Object.entries({ reading: Flags.READ, writing: Flags.WRITE })) {
    it(`do not tell at the close of a handle that is open for ${name}, and its fsync does`, async () => {
      const parts = await mounted();
      const { operations } = parts;
      const handle = await lossAt(parts, flags);
      await operations.files.flush(handle);
      await assert.rejects(operations.files.fsync(handle), LOST);
      await operations.files.fsync(handle);
    });
  }

  for (const isOpenThen of [true, false]) {
    const opened = isOpenThen ? 'before' : 'since';
    it(`do not tell when they write or look for data in a file that was opened ${opened}: no bytes are lost`, async () => {
      const parts = await mounted();
      const { operations } = parts;
      const { file } = await fileInFolder(parts);
      const early = await operations.files.open(file, Flags.BOTH);
      await chmod(parts, file);
      crashBoth(parts);
      await sync(parts);
      const { handle } = isOpenThen ? early : await operations.files.open(file, Flags.BOTH);
      await operations.content.write(handle, 0, Buffer.from('bytes'), {}, uninterrupted);
      await operations.content.seek(handle, 0, 'data');
      await operations.content.fallocate(handle, 0, 1, FallocateMode.PUNCH_HOLE | FallocateMode.KEEP_SIZE, false);
      await operations.files.release(handle);
      assert.equal(parts.log.named('writeback.lost').length, 0);
      await assert.rejects(operations.files.fsync((await operations.files.open(file, Flags.READ)).handle), LOST);
    });
  }

  async function lossOfBytes() {
    const parts = await mounted();
    const { operations, files } = parts;
    const { file } = await fileInFolder(parts);
    const { handle } = await operations.files.open(file, Flags.WRITE);
    const write = () => operations.content.write(handle, 0, Buffer.alloc(9 * MEBIBYTE), {}, uninterrupted);
    files.faults = { writes: 'ENOSPC' };
    await write();
    await settle();
    files.faults = {};
    return { parts, file, handle, write };
  }

  it('do not tell at a write, also where one has told of lost bytes before', async () => {
    const { parts, file, handle, write } = await lossOfBytes();
    const { operations } = parts;
    await assert.rejects(operations.files.fsync(handle), { code: 'ENOSPC' });
    await chmod(parts, file);
    crashBoth(parts);
    await sync(parts);
    await write();
    await assert.rejects(operations.files.fsync(handle), LOST);
  });

  it('tell at a write of lost bytes all the same', async () => {
    const { parts, file, handle, write } = await lossOfBytes();
    const { operations } = parts;
    await chmod(parts, file);
    crashBoth(parts);
    await sync(parts);
    await assert.rejects(write(), { code: 'ENOSPC' });
    await assert.rejects(operations.files.fsync(handle), { code: 'ENOSPC' });
    await operations.files.fsync(handle);
  });

  it('tell by the next fsync, when one has failed for another reason', async () => {
    const parts = await mounted();
    const { operations, files } = parts;
    const handle = await lossAt(parts, Flags.WRITE);
    const { fsync } = files;
    files.fsync = async () => {
      throw new ServiceError('DEADLINE', 'the metaserver is away');
    };
    await assert.rejects(operations.files.fsync(handle), { code: 'DEADLINE' });
    files.fsync = fsync;
    await assert.rejects(operations.files.fsync(handle), LOST);
  });

  it('tell by an fsync that is asked again, since its answer was lost with the connection', async () => {
    let change: (state: RemoteState) => void = () => {};
    const onStateChange = (listener: typeof change) => {
      change = listener;
    };
    const parts = fixture({}, { lost: new RepeatedCalls({ onStateChange }, 1000, new ManualClock()) });
    const { operations, files } = parts;
    const answers: (() => void)[] = [];
    files.fsync = async () => {
      answers.shift()?.();
      return { verifier: files.verifier };
    };
    await operations.start();
    const handle = operations.directories.open(ROOT_INODE);
    await operations.names.mkdir(ROOT_INODE, 'a', 0o755, CALLER);
    crashBoth(parts);
    answers.push(() => {
      change('down');
      throw new ServiceError('UNREACHABLE', 'the answer was lost');
    });
    await assert.rejects(operations.directories.fsync(handle), LOST);
    assert.deepEqual(answers, []);
    await operations.directories.fsync(handle);
  });
});
