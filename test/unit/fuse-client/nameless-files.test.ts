// Opens of files that have no name any more. The kernel may not know that yet.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import { CALLER, type Fixture, Flags, fixture, stored, uninterrupted } from './fixture.js';

/** Another mount takes the name of a file that is held somewhere. */
async function remove({ files }: Fixture, inode: number): Promise<void> {
  await files.unlink({ parent: ROOT_INODE, name: 'file', held: [inode] });
}

/** A file of another mount, which has no name any more. */
async function foreign(parts: Fixture): Promise<number> {
  const request = { parent: ROOT_INODE, name: 'file', mode: 0o644, umask: 0, exclusive: true, forWriting: true };
  const { attributes } = await parts.files.create({ ...request, caller: CALLER });
  await remove(parts, attributes.inode);
  return attributes.inode;
}

describe('a file that another mount has taken the name of', () => {
  it('is not opened by a path that the kernel remembers', async () => {
    const parts = fixture();
    const inode = await foreign(parts);
    await assert.rejects(parts.operations.files.open(inode, Flags.READ), { code: 'ENOENT' });
  });

  it('is opened by its descriptor, which the kernel asks for twice', async () => {
    const parts = fixture();
    const inode = await stored(parts, 'file', 'old content');
    await parts.operations.files.open(inode, Flags.READ);
    await remove(parts, inode);
    await assert.rejects(parts.operations.files.open(inode, Flags.READ), { code: 'ENOENT' });
    const { handle } = await parts.operations.files.open(inode, Flags.READ);
    const pieces = await parts.operations.content.read(handle, 0, 100, uninterrupted);
    assert.equal(Buffer.concat(pieces).toString(), 'old content');
  });

  it('is not found by a handle of it', async () => {
    const parts = fixture();
    const inode = await foreign(parts);
    await assert.rejects(parts.operations.names.lookup(inode, '.'), { code: 'ENOENT' });
  });
});
