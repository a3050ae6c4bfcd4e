// The package's path-based callbacks, on top of the same operations as the
// kernel binding. The package does not say who the caller is: everything new
// belongs to the user of this process.
import { Buffer } from 'node:buffer';

import { FileError } from '../../protocol/errors.js';
import { nameFromText, nameToText } from '../../protocol/http/text.js';
import type { AttributeChanges, Caller } from '../../protocol/services/files.js';
import { copyTo } from '../../protocol/values/pieces.js';
import { giveBack } from '../../protocol/wire/lent.js';
import type { Log } from '../../runtime/log.js';
import { refuseLists } from '../operations/extended-attributes.js';
import type { Operations } from '../operations/operations.js';
import { describeFailure, ERROR_NUMBERS, fileErrorCodeOf } from '../posix/errno.js';
import { kindOf } from '../posix/file-modes.js';
import { toSpace, toStat } from './native-attributes.js';
import type { Answer, NativeOperations, NativeStat } from './native-types.js';
import type { PathResolver } from './path-resolver.js';

/** O_RDWR: the package does not say with which flags a file is created. */
const CREATE_FLAGS = 0o2;
/** chown(2): leave as it is. */
const UNCHANGED_ID = 0xffff_ffff;
const ENTRIES_AT_ONCE = 2048;

export function nativeOperations(
  operations: Operations,
  paths: PathResolver,
  caller: Caller,
  log: Log,
): NativeOperations {
  const never = () => new AbortController().signal;

  function failed(request: string, error: unknown): number {
    const { code, expected } = fileErrorCodeOf(error);
    if (!expected) log.warn('mount.failed', { request, error: describeFailure(error) });
    return -ERROR_NUMBERS[code];
  }

  /** Answers once: 0 and the results, or a negative errno. */
  function run<Results extends unknown[] | []>(
    request: string,
    answer: Answer<Results>,
    work: () => Promise<Results>,
  ): void {
    work().then(
      (results) => answer(0, ...results),
      (error: unknown) => answer(failed(request, error)),
    );
  }

  /** Answers once: a number of bytes, or a negative errno. */
  function count(request: string, answer: Answer, work: () => Promise<number>): void {
    work().then(answer, (error: unknown) => answer(failed(request, error)));
  }

  async function change(path: string, changes: AttributeChanges): Promise<[]> {
    await operations.attributes.set(await paths.inode(nameFromText(path)), changes, caller);
    return [];
  }

  /** For changes that take names away: forgets the paths that were looked up before. */
  async function renaming(work: Promise<void>): Promise<[]> {
    try {
      await work;
    } finally {
      paths.forget();
    }
    return [];
  }

  async function stat(path: string): Promise<[NativeStat]> {
    return [toStat(await operations.attributes.get(await paths.inode(nameFromText(path))))];
  }

  return {
    statfs: (_path, answer) => run('statfs', answer, async () => [toSpace(await operations.statfs())]),
    getattr: (path, answer) => run('getattr', answer, () => stat(path)),
    fgetattr: (path, _handle, answer) => run('fgetattr', answer, () => stat(path)),
    readdir: (path, answer) =>
      run('readdir', answer, async () => [await listAll(operations, await paths.inode(nameFromText(path)))]),
    readlink: (path, answer) =>
      run('readlink', answer, async () => [
        nameToText(await operations.names.readlink(await paths.inode(nameFromText(path)))),
      ]),
    truncate: (path, sizeBytes, answer) => run('truncate', answer, () => change(path, { sizeBytes })),
    ftruncate: (path, handle, sizeBytes, answer) =>
      run('ftruncate', answer, async () => {
        await operations.attributes.set(await paths.inode(nameFromText(path)), { sizeBytes }, caller, { handle });
        return [];
      }),
    utimens: (path, accessMs, modifyMs, answer) =>
      run('utimens', answer, () =>
        change(path, { accessTimeNs: nanoseconds(accessMs), modifyTimeNs: nanoseconds(modifyMs) }),
      ),
    chown: (path, uid, gid, answer) =>
      run('chown', answer, () =>
        change(path, { ...(uid === UNCHANGED_ID ? {} : { uid }), ...(gid === UNCHANGED_ID ? {} : { gid }) }),
      ),
    chmod: (path, mode, answer) => run('chmod', answer, () => change(path, { mode: mode & 0o7777 })),
    mknod: (path, mode, device, answer) =>
      run('mknod', answer, async () => {
        const kind = kindOf(mode);
        if (kind === undefined) throw new FileError('EINVAL', `mode ${mode.toString(8)} has no known kind`);
        const { parent, name } = await paths.parent(nameFromText(path));
        await operations.names.mknod(parent, name, { kind, mode: mode & 0o7777, device }, caller);
        return [];
      }),
    mkdir: (path, mode, answer) =>
      run('mkdir', answer, async () => {
        const { parent, name } = await paths.parent(nameFromText(path));
        await operations.names.mkdir(parent, name, mode & 0o7777, caller);
        return [];
      }),
    symlink: (target, path, answer) =>
      run('symlink', answer, async () => {
        const { parent, name } = await paths.parent(nameFromText(path));
        await operations.names.symlink(parent, name, nameFromText(target), caller);
        return [];
      }),
    link: (source, path, answer) =>
      run('link', answer, async () => {
        const { parent, name } = await paths.parent(nameFromText(path));
        await operations.names.link(await paths.inode(nameFromText(source)), parent, name);
        return [];
      }),
    unlink: (path, answer) =>
      run('unlink', answer, async () => {
        const { parent, name } = await paths.parent(nameFromText(path));
        return renaming(operations.names.unlink(parent, name));
      }),
    rmdir: (path, answer) =>
      run('rmdir', answer, async () => {
        const { parent, name } = await paths.parent(nameFromText(path));
        return renaming(operations.names.rmdir(parent, name));
      }),
    rename: (path, newPath, answer) =>
      run('rename', answer, async () => {
        const from = await paths.parent(nameFromText(path));
        const to = await paths.parent(nameFromText(newPath));
        return renaming(operations.names.rename(from, to, 'replace'));
      }),
    create: (path, mode, answer) =>
      run('create', answer, async () => {
        const { parent, name } = await paths.parent(nameFromText(path));
        return [(await operations.files.create(parent, name, mode & 0o7777, CREATE_FLAGS, caller)).handle];
      }),
    open: (path, flags, answer) =>
      run('open', answer, async () => [
        (await operations.files.open(await paths.inode(nameFromText(path)), flags)).handle,
      ]),
    read: (_path, handle, target, length, offset, answer) =>
      count('read', answer, async () => {
        const read = await operations.content.read(handle, offset, length, never);
        const bytes = copyTo(target, read);
        giveBack(read);
        return bytes;
      }),
    write: (_path, handle, data, length, offset, answer) =>
      count('write', answer, async () => {
        // The package's memory goes back to libfuse with the answer.
        await operations.content.write(handle, offset, Buffer.from(data.subarray(0, length)), {}, never);
        return length;
      }),
    flush: (_path, handle, answer) => run('flush', answer, () => done(operations.files.flush(handle))),
    fsync: (_path, _dataOnly, handle, answer) => run('fsync', answer, () => done(operations.files.fsync(handle))),
    opendir: (path, _flags, answer) =>
      run('opendir', answer, async () => [operations.directories.open(await paths.inode(nameFromText(path)))]),
    fsyncdir: (_path, _dataOnly, handle, answer) =>
      run('fsyncdir', answer, () => done(operations.directories.fsync(handle))),
    releasedir: (_path, handle, answer) =>
      run('releasedir', answer, async () => {
        operations.directories.release(handle);
        return [];
      }),
    release: (_path, handle, answer) => run('release', answer, () => done(operations.files.release(handle))),
    setxattr: (path, name, value, _position, flags, answer) =>
      run('setxattr', answer, async () => {
        refuseLists(name);
        const mode = flags === 1 ? 'create' : flags === 2 ? 'replace' : 'set';
        await operations.extendedAttributes.set(
          await paths.inode(nameFromText(path)),
          nameFromText(name),
          Buffer.from(value),
          mode,
        );
        return [];
      }),
    getxattr: (path, name, _position, answer) =>
      run('getxattr', answer, async () => {
        refuseLists(name);
        return [
          Buffer.from(
            await operations.extendedAttributes.get(await paths.inode(nameFromText(path)), nameFromText(name)),
          ),
        ];
      }),
    listxattr: (path, answer) =>
      run('listxattr', answer, async () => [
        (await operations.extendedAttributes.list(await paths.inode(nameFromText(path)))).map(nameToText),
      ]),
    removexattr: (path, name, answer) =>
      run('removexattr', answer, async () => {
        await operations.extendedAttributes.remove(await paths.inode(nameFromText(path)), nameFromText(name));
        return [];
      }),
  };
}

async function done(work: Promise<void>): Promise<[]> {
  await work;
  return [];
}

async function listAll(operations: Operations, inode: number): Promise<string[]> {
  const handle = operations.directories.open(inode);
  const names: string[] = [];
  try {
    for (let cookie = 0; ; ) {
      const entries = await operations.directories.read(handle, cookie, false, ENTRIES_AT_ONCE);
      const last = entries.at(-1);
      if (last === undefined) return names;
      for (const { name } of entries) names.push(nameToText(name));
      cookie = last.cookie;
    }
  } finally {
    operations.directories.release(handle);
  }
}

function nanoseconds(milliseconds: number): bigint {
  return BigInt(Math.trunc(milliseconds)) * 1_000_000n;
}
