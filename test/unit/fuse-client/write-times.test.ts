// Which times a file has while bytes of it wait for their commit, and after it.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { FileError } from '../../../src/protocol/errors.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import { CALLER, contentOf, type Fixture, Flags, fixture, stored, uninterrupted } from './fixture.js';

/** A file that is open, with a byte that is pending, written a second after the file was made. */
async function withPending(): Promise<Fixture & { inode: number; handle: number; writtenNs: bigint }> {
  const parts = fixture();
  const { operations, clock } = parts;
  const inode = await stored(parts, 'f', '');
  const { handle } = await operations.files.open(inode, Flags.WRITE);
  await clock.advance(1000);
  await operations.content.write(handle, 0, Buffer.from('x'), {}, uninterrupted);
  return { ...parts, inode, handle, writtenNs: clock.nowNs() };
}

async function timesOf({ operations }: Fixture, inode: number): Promise<bigint[]> {
  const { modifyTimeNs, changeTimeNs } = await operations.attributes.get(inode);
  return [modifyTimeNs, changeTimeNs];
}

describe('times around a write', () => {
  it('are both the time of the write, before its commit and after it', async () => {
    const parts = await withPending();
    const { operations, clock, inode, handle, writtenNs } = parts;
    assert.deepEqual(await timesOf(parts, inode), [writtenNs, writtenNs]);
    await clock.advance(2000);
    await operations.files.flush(handle);
    assert.deepEqual(await timesOf(parts, inode), [writtenNs, writtenNs]);
  });

  it('are the later ones of a change that came between the write and its commit', async () => {
    const parts = await withPending();
    const { operations, clock, inode, handle, writtenNs } = parts;
    await clock.advance(1000);
    const changed = await operations.attributes.set(inode, { mode: 0o600 }, CALLER);
    assert.ok(changed.changeTimeNs > writtenNs);
    assert.deepEqual(await timesOf(parts, inode), [writtenNs, changed.changeTimeNs]);
    await clock.advance(1000);
    const linked = await operations.names.link(inode, ROOT_INODE, 'g');
    assert.ok(linked.changeTimeNs > changed.changeTimeNs);
    await operations.files.flush(handle);
    assert.deepEqual(await timesOf(parts, inode), [writtenNs, linked.changeTimeNs]);
  });

  it('stay as they are set after a write whose bytes are stored later', async () => {
    const parts = await withPending();
    const { operations, files, clock, inode, handle } = parts;
    await clock.advance(1000);
    const { changeTimeNs } = await operations.attributes.set(inode, { modifyTimeNs: -5n }, CALLER);
    assert.equal((await files.getattr({ inode })).sizeBytes, 0, 'the bytes are still here');
    assert.deepEqual(await timesOf(parts, inode), [-5n, changeTimeNs]);
    await operations.files.flush(handle);
    assert.deepEqual(await timesOf(parts, inode), [-5n, changeTimeNs]);
    assert.equal(await contentOf(parts, inode), 'x');
  });

  it('stay as they are set while bytes of an earlier write are on their way', async () => {
    const parts = await withPending();
    const { operations, inode, handle } = parts;
    const flushed = operations.files.flush(handle);
    await operations.attributes.set(inode, { modifyTimeNs: -5n }, CALLER);
    await flushed;
    assert.equal((await operations.attributes.get(inode)).modifyTimeNs, -5n);
  });

  it('are those of a write that comes after they were set', async () => {
    const parts = await withPending();
    const { operations, clock, inode, handle } = parts;
    await operations.attributes.set(inode, { modifyTimeNs: -5n }, CALLER);
    await clock.advance(1000);
    const later = clock.nowNs();
    await operations.content.write(handle, 1, Buffer.from('y'), {}, uninterrupted);
    assert.deepEqual(await timesOf(parts, inode), [later, later]);
    await operations.files.flush(handle);
    assert.deepEqual(await timesOf(parts, inode), [later, later]);
  });

  it('are those of the write when they could not be set after it', async () => {
    const parts = await withPending();
    const { operations, files, inode, handle, writtenNs } = parts;
    const { setattr } = files;
    files.setattr = async () => {
      throw new FileError('EPERM', 'not allowed here');
    };
    await assert.rejects(operations.attributes.set(inode, { modifyTimeNs: -5n }, CALLER), { code: 'EPERM' });
    files.setattr = setattr;
    assert.deepEqual(await timesOf(parts, inode), [writtenNs, writtenNs]);
    await operations.files.flush(handle);
    assert.deepEqual(await timesOf(parts, inode), [writtenNs, writtenNs]);
  });

  it('stay as they are set after a store through a mapping, which the kernel is asked for before', async () => {
    const parts = fixture();
    const { operations, kernel } = parts;
    const inode = await stored(parts, 'f', '');
    const { handle } = await operations.files.open(inode, Flags.BOTH);
    let asked = 0;
    kernel.writeBack = async (dirty) => {
      asked++;
      assert.equal(dirty, inode);
      await operations.content.write(handle, 0, Buffer.from('mapped'), { ofPages: true }, uninterrupted);
    };
    await operations.attributes.set(inode, { mode: 0o600 }, CALLER);
    await operations.attributes.set(inode, { accessTimeNs: 5n }, CALLER);
    assert.equal(asked, 0, 'only where a modification time is set');
    await operations.attributes.set(inode, { modifyTimeNs: -5n }, CALLER);
    assert.equal(asked, 1);
    await operations.files.flush(handle);
    assert.equal((await operations.attributes.get(inode)).modifyTimeNs, -5n);
    assert.equal(await contentOf(parts, inode), 'mapped');
    await operations.files.release(handle);
    await operations.files.open(inode, Flags.WRITE);
    await operations.attributes.set(inode, { modifyTimeNs: 7n }, CALLER);
    assert.equal(asked, 1, 'a file that is open for writing alone has no mapping for stores');
  });

  it('stay as another mount set them after a write whose bytes are pending here', async () => {
    const parts = await withPending();
    const { operations, files, clock, inode, handle } = parts;
    await clock.advance(1000);
    const { changeTimeNs } = await files.setattr({ inode, changes: { modifyTimeNs: -5n }, caller: CALLER });
    assert.deepEqual(await timesOf(parts, inode), [-5n, changeTimeNs]);
    await operations.files.flush(handle);
    assert.deepEqual(await timesOf(parts, inode), [-5n, changeTimeNs]);
    assert.equal(await contentOf(parts, inode), 'x');
  });

  it('are those of a write that comes after another mount has set them', async () => {
    const parts = await withPending();
    const { operations, files, clock, inode, handle } = parts;
    await clock.advance(1000);
    await files.setattr({ inode, changes: { modifyTimeNs: -5n }, caller: CALLER });
    await clock.advance(1000);
    const later = clock.nowNs();
    await operations.content.write(handle, 1, Buffer.from('y'), {}, uninterrupted);
    assert.deepEqual(await timesOf(parts, inode), [later, later]);
    await operations.files.flush(handle);
    assert.deepEqual(await timesOf(parts, inode), [later, later]);
  });
});
