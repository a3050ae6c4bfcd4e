// Handles of files (name_to_handle_at) outlive the mount that gave them, as
// the kernel's NFS server needs it.
import assert from 'node:assert/strict';
import { mkdir, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { run } from '../support/cluster.js';
import { requirePrograms } from '../support/programs.js';
import { requireFuse } from '../support/require-fuse.js';
import { SecondMount } from '../support/second-mount.js';

/** take PATH prints a handle; open MOUNT HANDLE prints what it leads to: content or names, and the path as the kernel knows it. */
const HANDLES = `
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, BYTES = -100, 128
if sys.argv[1] == 'take':
    handle = ctypes.create_string_buffer(struct.pack('Ii', BYTES, 0), 8 + BYTES)
    number = ctypes.c_int()
    if libc.name_to_handle_at(AT_FDCWD, os.fsencode(sys.argv[2]), handle, ctypes.byref(number), 0) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    length = struct.unpack_from('I', handle)[0]
    print(handle.raw[:8 + length].hex())
else:
    mount = os.open(sys.argv[2], os.O_RDONLY)
    handle = ctypes.create_string_buffer(bytes.fromhex(sys.argv[3]))
    file = libc.open_by_handle_at(mount, handle, os.O_RDONLY)
    if file < 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    path = os.readlink('/proc/self/fd/%d' % file)
    if os.path.isdir('/proc/self/fd/%d' % file):
        print(path, *sorted(os.listdir(file)))
    else:
        print(path, os.read(file, 100).decode())
`;

describe('handles of files', function () {
  this.timeout(120_000);
  let second: SecondMount;

  before(async function () {
    requireFuse(this);
    requirePrograms(this, 'python3');
    second = await SecondMount.start();
  });
  after(() => second?.destroy());

  async function handles(...parameters: string[]): Promise<string> {
    const { stdout, stderr } = await run('timeout', ['30', 'python3', '-c', HANDLES, ...parameters], '/');
    return (stdout || stderr).trim();
  }

  it('lead to the same files after the mount was made anew, wherever these are by then', async () => {
    const { folder, cluster } = second;
    await mkdir(join(folder, 'one'));
    await mkdir(join(folder, 'one', 'deep'));
    await writeFile(join(folder, 'one', 'deep', 'file'), 'content');
    await writeFile(join(folder, 'one', 'gone'), 'content');
    const deep = await handles('take', join(folder, 'one', 'deep'));
    const file = await handles('take', join(folder, 'one', 'deep', 'file'));
    const gone = await handles('take', join(folder, 'one', 'gone'));
    await cluster.must('umount', folder);
    await rename(join(cluster.mountPoint, 'one'), join(cluster.mountPoint, 'two'));
    await unlink(join(cluster.mountPoint, 'two', 'gone'));
    await cluster.must('mount', folder);
    assert.equal(await handles('open', folder, deep), `${folder}/two/deep file`);
    assert.match(await handles('open', folder, file), / content$/);
    assert.equal(await handles('open', folder, gone), 'Stale file handle');
  });

  it('lead there when the kernel has forgotten the file', async () => {
    const { folder } = second;
    await writeFile(join(folder, 'forgotten'), 'found again');
    const handle = await handles('take', join(folder, 'forgotten'));
    assert.equal((await run('sh', ['-c', 'echo 2 > /proc/sys/vm/drop_caches'], '/')).status, 0);
    assert.match(await handles('open', folder, handle), / found again$/);
  });
});
