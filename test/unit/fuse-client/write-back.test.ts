import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { FallocateMode } from '../../../src/fuse-client/posix/fallocate.js';
import { FileError } from '../../../src/protocol/errors.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import { giveBack } from '../../../src/protocol/wire/lent.js';
import { settle } from '../../support/manual-clock.js';
import { CALLER, contentOf, Flags, fixture, stored, uninterrupted } from './fixture.js';

const MEBIBYTE = 2 ** 20;

describe('the write-back buffer', () => {
  it('stores a truncation and the bytes after it in one commit, and not at the first close that a shell does', async () => {
    const parts = fixture();
    const { operations, files } = parts;
    const inode = await stored(parts, 'f', 'old content');
    const before = files.calls.write ?? 0;
    const { handle } = await operations.files.open(inode, Flags.WRITE | Flags.TRUNCATE);
    await operations.files.flush(handle);
    assert.equal(await contentOf(parts, inode), 'old content');
    assert.equal((await operations.attributes.get(inode)).sizeBytes, 0);
    await operations.content.write(handle, 0, Buffer.from('new'), {}, uninterrupted);
    await operations.files.flush(handle);
    assert.equal(await contentOf(parts, inode), 'new');
    assert.equal(files.calls.write, before + 1);
    await operations.files.release(handle);
    assert.equal(files.calls.write, before + 1);
  });

  for (const closes of [1, 2]) {
    it(`stores a truncation without bytes at the latest at the release (${closes} closes)`, async () => {
      const parts = fixture();
      const inode = await stored(parts, 'f', 'old');
      const { handle } = await parts.operations.files.open(inode, Flags.WRITE | Flags.TRUNCATE);
      for (let count = 0; count < closes; count++) await parts.operations.files.flush(handle);
      assert.equal(await contentOf(parts, inode), closes === 2 ? '' : 'old');
      await parts.operations.files.release(handle);
      assert.equal(await contentOf(parts, inode), '');
    });
  }

  it('makes the name of a new file durable at its close, by the commit of its bytes or without any', async () => {
    const { operations, files } = fixture();
    let syncs = 0;
    Object.assign(files, {
      fsync: async () => {
        syncs++;
        return {};
      },
    });
    const empty = await operations.files.create(ROOT_INODE, 'empty', 0o644, Flags.WRITE, CALLER);
    await operations.files.flush(empty.handle);
    await operations.files.flush(empty.handle);
    assert.equal(syncs, 1);
    const full = await operations.files.create(ROOT_INODE, 'full', 0o644, Flags.WRITE, CALLER);
    await operations.content.write(full.handle, 0, Buffer.from('x'), {}, uninterrupted);
    await operations.files.flush(full.handle);
    assert.equal(syncs, 1, 'the commit was durable already');
  });

  it('sends a write at once where each write has had its own fsync, until one has not', async () => {
    const parts = fixture();
    const { operations, files } = parts;
    const { handle } = await operations.files.open(await stored(parts, 'f', ''), Flags.WRITE);
    let offset = 0;
    /** Whether it was sent before anybody asked. */
    const write = async (): Promise<boolean> => {
      const before = files.calls.write ?? 0;
      await operations.content.write(handle, offset++, Buffer.from('x'), {}, uninterrupted);
      await settle();
      return (files.calls.write ?? 0) > before;
    };
    for (let count = 0; count < 3; count++) {
      assert.equal(await write(), false, `write ${count}`);
      await operations.files.fsync(handle);
    }
    for (let count = 0; count < 3; count++) {
      assert.equal(await write(), true);
      await operations.files.fsync(handle);
    }
    assert.equal(await write(), true);
    assert.equal(await write(), false, 'the second without an fsync');
    await operations.files.fsync(handle);
    assert.equal(await write(), false, 'the habit is over');
    await operations.files.fsync(handle);
    assert.equal(await contentOf(parts, (await operations.names.lookup(ROOT_INODE, 'f')).inode), 'x'.repeat(9));
  });

  it('keeps a truncation and the bytes after it in one commit, also where each write has had its own fsync', async () => {
    const parts = fixture();
    const { operations, files } = parts;
    const inode = await stored(parts, 'f', '');
    const { handle } = await operations.files.open(inode, Flags.WRITE);
    for (let offset = 0; offset < 3; offset++) {
      await operations.content.write(handle, offset, Buffer.from('x'), {}, uninterrupted);
      await operations.files.fsync(handle);
    }
    const before = files.calls.write ?? 0;
    await operations.attributes.set(inode, { sizeBytes: 0 }, CALLER, { handle });
    await operations.content.write(handle, 0, Buffer.from('new'), {}, uninterrupted);
    await settle();
    assert.equal(files.calls.write ?? 0, before);
    await operations.content.write(handle, 3, Buffer.from('er'), {}, uninterrupted);
    await operations.files.fsync(handle);
    assert.equal(files.calls.write, before + 1);
    assert.equal(await contentOf(parts, inode), 'newer');
  });

  it('refuses to open for writing without a quorum, before anything is destroyed', async () => {
    const parts = fixture();
    const inode = await stored(parts, 'f', 'old');
    parts.files.faults = { openForWriting: 'EIO' };
    await assert.rejects(parts.operations.files.open(inode, Flags.WRITE | Flags.TRUNCATE), { code: 'EIO' });
    assert.equal(await contentOf(parts, inode), 'old');
  });

  it('sends a long file in few aligned batches', async () => {
    const parts = fixture();
    const { operations, files } = parts;
    const inode = await stored(parts, 'f', '');
    const before = files.calls.write ?? 0;
    const { handle } = await operations.files.open(inode, Flags.WRITE);
    for (let at = 0; at < 40; at++) {
      await operations.content.write(handle, at * MEBIBYTE, Buffer.alloc(MEBIBYTE, at), {}, uninterrupted);
    }
    await operations.files.flush(handle);
    assert.ok((files.calls.write ?? 0) - before <= 11, `${files.calls.write} writes`);
    const data = Buffer.concat((await files.read({ inode, offset: 39 * MEBIBYTE - 1, length: 2 })).pieces);
    assert.deepEqual([...data], [38, 39]);
  });

  it('lets writers wait when too much is pending, until some is stored or they are interrupted', async () => {
    const parts = fixture({ maximumDirtyBytes: MEBIBYTE });
    const { operations, files } = parts;
    const inode = await stored(parts, 'f', '');
    const { handle } = await operations.files.open(inode, Flags.WRITE);
    files.faults = { hang: ['write'] };
    await operations.content.write(handle, 0, Buffer.alloc(MEBIBYTE), {}, uninterrupted);
    const controller = new AbortController();
    const interrupted = operations.content.write(handle, MEBIBYTE, Buffer.alloc(10), {}, () => controller.signal);
    const waiting = operations.content.write(handle, MEBIBYTE, Buffer.from('after'), {}, uninterrupted);
    controller.abort();
    await assert.rejects(interrupted, { code: 'EINTR' });
    files.faults = {};
    await waiting;
    await operations.files.flush(handle);
    assert.equal((await files.getattr({ inode })).sizeBytes, MEBIBYTE + 5);
  });

  it('stores bytes of a file that stays open after a while', async () => {
    const parts = fixture();
    const inode = await stored(parts, 'f', '');
    const { handle } = await parts.operations.files.open(inode, Flags.WRITE);
    await parts.operations.content.write(handle, 0, Buffer.from('aged'), {}, uninterrupted);
    await parts.clock.advance(4999);
    assert.equal(await contentOf(parts, inode), '');
    await parts.clock.advance(1);
    assert.equal(await contentOf(parts, inode), 'aged');
    assert.equal(parts.clock.pending, 0);
  });

  it('stores a synchronous write before it is answered', async () => {
    const parts = fixture();
    const inode = await stored(parts, 'f', '');
    const { handle } = await parts.operations.files.open(inode, Flags.WRITE | Flags.SYNC);
    await parts.operations.content.write(handle, 0, Buffer.from('now'), {}, uninterrupted);
    assert.equal(await contentOf(parts, inode), 'now');
  });

  it('believes a commit rather than an answer that is older', async () => {
    const parts = fixture();
    const { operations, files } = parts;
    const inode = await stored(parts, 'f', '');
    const older = await files.getattr({ inode });
    const { handle } = await operations.files.open(inode, Flags.WRITE);
    await operations.content.write(handle, 0, Buffer.from('four'), {}, uninterrupted);
    await operations.files.flush(handle);
    await operations.files.release(handle);
    assert.equal(operations.attributes.current(older).sizeBytes, 4);
  });

  it('takes set-user-id away when somebody else writes', async () => {
    const parts = fixture();
    const inode = await stored(parts, 'f', '');
    await parts.operations.attributes.set(inode, { mode: 0o6755 }, CALLER);
    const { handle } = await parts.operations.files.open(inode, Flags.WRITE);
    await parts.operations.content.write(handle, 0, Buffer.from('x'), { killPrivileges: true }, uninterrupted);
    assert.equal((await parts.operations.attributes.get(inode)).mode, 0o755);
  });

  it('keeps an unlinked file until its last close, then gives its space back', async () => {
    const parts = fixture();
    const { operations, files } = parts;
    const inode = await stored(parts, 'f', 'kept');
    const { handle } = await operations.files.open(inode, Flags.BOTH);
    await operations.names.unlink(ROOT_INODE, 'f');
    await operations.content.write(handle, 4, Buffer.from(' on'), {}, uninterrupted);
    assert.equal(Buffer.concat(await operations.content.read(handle, 0, 10, uninterrupted)).toString(), 'kept on');
    await operations.files.release(handle);
    await assert.rejects(files.getattr({ inode }), FileError);
  });

  it('gives the space back of a file that was closed while its last name went', async () => {
    const parts = fixture();
    const { operations, files } = parts;
    const inode = await stored(parts, 'f', 'x');
    const { handle } = await operations.files.open(inode, Flags.READ);
    const unlinking = operations.names.unlink(ROOT_INODE, 'f');
    await operations.files.release(handle);
    await unlinking;
    await assert.rejects(files.getattr({ inode }), FileError);
  });

  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('write' as const),
        at: fc.nat(300),
        length: fc.integer({ min: 1, max: 90 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('resize' as const), size: fc.nat(400) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('truncateAtOpen' as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('zero' as const),
        at: fc.nat(300),
        length: fc.integer({ min: 1, max: 90 }),
        grows: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('flush' as const), wait: fc.boolean() }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('read' as const),
        at: fc.nat(400),
        length: fc.integer({ min: 1, max: 300 }),
      }),
    },
  );

  it('copies between files and within one, whatever is pending, and answers short', async () => {
    const parts = fixture();
    const { operations } = parts;
    const open = async (name: string, content: string) =>
      (await operations.files.open(await stored(parts, name, content), Flags.BOTH)).handle;
    const [from, to] = [await open('from', 'x'.repeat(3 * MEBIBYTE)), await open('to', 'y')];
    await operations.content.write(from, MEBIBYTE - 2, Buffer.from('pending'), {}, uninterrupted);
    const at = (handle: number, offset: number) => ({ handle, offset });
    type Place = ReturnType<typeof at>;
    const copy = (source: Place, target: Place, length: number) =>
      operations.content.copy({ source, target, length }, false, uninterrupted);
    assert.equal(await copy(at(from, MEBIBYTE - 4), at(to, 1), 12), 12);
    assert.equal(await copy(at(to, 0), at(to, 20), 13), 13);
    const seen = await operations.content.read(to, 0, 100, uninterrupted);
    assert.equal(Buffer.concat(seen).toString(), `yxxpendingxxx${'\0'.repeat(7)}yxxpendingxxx`);
    assert.equal(await copy(at(from, 3 * MEBIBYTE - 5), at(to, 5), 100), 5);
    assert.equal(await copy(at(from, 3 * MEBIBYTE), at(to, 5), 100), 0);
    assert.equal(await copy(at(from, 2 ** 60), at(to, 5), 100), 0);
    await assert.rejects(copy(at(from, 0), at(to, 2 ** 52), 100), { code: 'EFBIG' });
    await operations.attributes.set(2, { sizeBytes: 40 * MEBIBYTE }, CALLER, { handle: from });
    const { lender } = parts.files;
    const lent = lender.outstanding;
    const most = await copy(at(from, 0), at(to, 0), 40 * MEBIBYTE);
    assert.ok(most > 0 && most < 40 * MEBIBYTE);
    assert.equal(lender.outstanding, lent);
    const copied = Buffer.concat(await operations.content.read(to, 2 * MEBIBYTE, MEBIBYTE, uninterrupted));
    assert.ok(copied.equals(Buffer.alloc(MEBIBYTE, 'x')));
    parts.files.faults = { reads: 'EIO' };
    await assert.rejects(copy(at(from, 0), at(to, 0), 100), { code: 'EIO' });
  });

  it('cuts where the last of several cuts was, also where one was behind what is stored', async () => {
    const parts = fixture();
    const { operations } = parts;
    const inode = await stored(parts, 'f', 'stored');
    const { handle } = await operations.files.open(inode, Flags.BOTH);
    await operations.content.write(handle, 7, Buffer.from('x'), {}, uninterrupted);
    for (const sizeBytes of [7, 6]) await operations.attributes.set(inode, { sizeBytes }, CALLER, { handle });
    assert.equal((await operations.attributes.get(inode)).sizeBytes, 6);
    await operations.files.flush(handle);
    assert.equal(await contentOf(parts, inode), 'stored');
  });

  it('shows readers what was written, whatever is pending, on its way or stored', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const parts = fixture();
        const { operations } = parts;
        const inode = await stored(parts, 'f', 'x'.repeat(100));
        const { handle } = await operations.files.open(inode, Flags.BOTH);
        let model = Buffer.from('x'.repeat(100));
        let fill = 0;
        const resized = (size: number) =>
          Buffer.concat([model.subarray(0, size), Buffer.alloc(Math.max(0, size - model.length))]);
        const flushes: Promise<void>[] = [];
        for (const action of steps) {
          if (action.kind === 'write') {
            fill = (fill + 1) % 256;
            await operations.content.write(handle, action.at, Buffer.alloc(action.length, fill), {}, uninterrupted);
            model = resized(Math.max(model.length, action.at + action.length));
            model.fill(fill, action.at, action.at + action.length);
          } else if (action.kind === 'resize') {
            await operations.attributes.set(inode, { sizeBytes: action.size }, CALLER, { handle });
            model = resized(action.size);
          } else if (action.kind === 'truncateAtOpen') {
            await operations.files.release((await operations.files.open(inode, Flags.WRITE | Flags.TRUNCATE)).handle);
            model = Buffer.alloc(0);
          } else if (action.kind === 'zero') {
            const mode = action.grows ? FallocateMode.ZERO_RANGE : FallocateMode.PUNCH_HOLE | FallocateMode.KEEP_SIZE;
            await operations.content.fallocate(handle, action.at, action.length, mode, false);
            if (action.grows) model = resized(Math.max(model.length, action.at + action.length));
            model.fill(0, action.at, Math.min(model.length, action.at + action.length));
          } else if (action.kind === 'flush') {
            const flushed = operations.files.flush(handle);
            flushes.push(flushed);
            if (action.wait) await flushed;
          } else {
            const seen = await operations.content.read(handle, action.at, action.length, uninterrupted);
            assert.deepEqual(Buffer.concat(seen), Buffer.from(model.subarray(action.at, action.at + action.length)));
            giveBack(seen);
          }
          assert.equal((await operations.attributes.get(inode)).sizeBytes, model.length);
        }
        await Promise.all(flushes);
        await operations.files.release(handle);
        assert.equal(parts.files.lender.outstanding, 0);
        assert.equal(await contentOf(parts, inode), model.toString('latin1'));
      }),
      { numRuns: 300 },
    );
  });
});
