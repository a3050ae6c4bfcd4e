// Changes that a mount was answered and that are lost, for the tests of who is told.
import assert from 'node:assert/strict';
import type { MediatorConnection } from '../../../src/fuse-client/operations/operations.js';
import { FileError } from '../../../src/protocol/errors.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import { CALLER, type Fixture, Flags, fixture } from './fixture.js';

export const SYNC_AFTER_MS = 1000;
export const TELL_ALL_MS = 60_000;
export const LOST = { code: 'EIO', message: /changes were lost/ };

/** A mount that has changed nothing yet. */
export async function mounted(mediator: MediatorConnection = {}): Promise<Fixture> {
  const parts = fixture({}, mediator);
  await parts.operations.start();
  return parts;
}

/** Both crash, and what was answered and not durable is gone. */
export function crashBoth({ files }: Fixture): void {
  files.verifier = { mediator: `${files.verifier.mediator}, another`, history: `${files.verifier.history}, another` };
}

/** Everything that was changed before is durable, and the mount knows. */
export async function sync({ operations }: Fixture): Promise<void> {
  const handle = operations.directories.open(ROOT_INODE);
  await operations.directories.fsync(handle);
  operations.directories.release(handle);
}

/** A file and the folder that it is in, both durable. */
export async function fileInFolder(parts: Fixture): Promise<{ folder: number; file: number }> {
  const { operations } = parts;
  const folder = (await operations.names.mkdir(ROOT_INODE, 'folder', 0o755, CALLER)).inode;
  const { handle, attributes } = await operations.files.create(folder, 'file', 0o644, Flags.WRITE, CALLER);
  await operations.files.release(handle);
  await sync(parts);
  return { folder, file: attributes.inode };
}

export function chmod({ operations }: Fixture, inode: number): Promise<unknown> {
  return operations.attributes.set(inode, { mode: 0o600 }, CALLER);
}

/** Whether an fsync of a new handle on the folder tells. */
export async function isToldAt({ operations }: Fixture, folder: number): Promise<boolean> {
  const handle = operations.directories.open(folder);
  try {
    await operations.directories.fsync(handle);
    return false;
  } catch (error) {
    assert.ok(error instanceof FileError && error.code === 'EIO');
    return true;
  } finally {
    operations.directories.release(handle);
  }
}
