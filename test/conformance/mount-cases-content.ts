// What programs expect of a file's bytes: written, cut, shared, replaced, locked.
import assert from 'node:assert/strict';
import { open, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed } from '../support/shell.js';
import type { MountCase } from './mount-case.js';

const MEBIBYTE = 2 ** 20;

export const contentCases: MountCase[] = [
  {
    name: 'echo > and >>, cat',
    async run(directory) {
      const output = await succeed(
        'echo one > f; echo two >> f; cat f; echo three > f; cat f; : > f; wc -c < f',
        directory,
      );
      assert.equal(output, 'one\ntwo\nthree\n0\n');
    },
  },
  {
    name: 'writing changes the modification time, reading and chmod do not',
    async run(directory) {
      await succeed(
        `echo x > f; touch -d '2010-01-01 UTC' f; cat f; chmod 600 f; test "$(stat -c %Y f)" = 1262304000; echo y >> f; test "$(stat -c %Y f)" != 1262304000`,
        directory,
      );
    },
  },
  {
    name: 'truncate cuts, extends with zeros, and keeps what it should',
    async run(directory) {
      await succeed('printf 0123456789 > f; truncate -s 4 f; truncate -s 8 f', directory);
      assert.equal(await readFile(join(directory, 'f'), 'latin1'), '0123\0\0\0\0');
    },
  },
  {
    name: 'a file changes size while it is open and written',
    async run(directory) {
      const file = await open(join(directory, 'f'), 'w+');
      try {
        await file.write('0123456789');
        await file.truncate(4);
        await file.write('X', 6);
        assert.equal((await file.stat()).size, 7);
        await file.truncate(5);
        await file.truncate(6);
        await file.sync();
      } finally {
        await file.close();
      }
      assert.equal(await readFile(join(directory, 'f'), 'latin1'), '0123\0\0');
    },
  },
  {
    name: 'an editor saves by rename',
    async run(directory) {
      await succeed('echo old > f; echo new > .f.swp; sync .f.swp; mv .f.swp f', directory);
      assert.equal(await succeed('cat f; ls -A', directory), 'new\nf\n');
    },
  },
  {
    name: 'holes read as zeros',
    async run(directory) {
      const file = await open(join(directory, 'f'), 'w');
      await file.write('end', 5 * MEBIBYTE);
      await file.close();
      const bytes = await readFile(join(directory, 'f'));
      assert.equal(bytes.length, 5 * MEBIBYTE + 3);
      assert.ok(bytes.subarray(0, 5 * MEBIBYTE).every((byte) => byte === 0));
    },
  },
  {
    name: 'long files come back byte for byte',
    async run(directory) {
      await succeed(
        'head -c 30000001 /dev/urandom > f; cp f g; cmp f g; tail -c 12345 f | cmp - <(tail -c 12345 g); dd if=f bs=777 skip=1000 count=2000 status=none | cmp - <(tail -c +777001 g | head -c 1554000)',
        directory,
      );
    },
  },
  {
    name: 'writers in different ranges lose nothing',
    async run(directory) {
      await succeed(
        'truncate -s 4M f; for i in 0 1 2 3; do (yes $i | tr -d "\\n" | dd of=f bs=64k seek=$((i*16)) count=16 iflag=fullblock conv=notrunc status=none) & done; wait',
        directory,
      );
      const bytes = await readFile(join(directory, 'f'), 'latin1');
      assert.equal(bytes, ['0', '1', '2', '3'].map((digit) => digit.repeat(MEBIBYTE)).join(''));
    },
  },
  {
    name: 'appenders side by side lose nothing',
    async run(directory) {
      // Made before: fuse-native does not say that who makes a file appends to it.
      await succeed(
        ': > f; for i in 1 2 3 4; do (for n in $(seq 50); do echo "$i $n" >> f; done) & done; wait',
        directory,
      );
      assert.equal(await succeed('sort -u f | wc -l; wc -l < f', directory), '200\n200\n');
    },
  },
  {
    name: 'an unlinked file that is open goes on',
    async run(directory) {
      const file = await open(join(directory, 'f'), 'w+');
      try {
        await file.write('before');
        await unlink(join(directory, 'f'));
        await file.write(' after');
        await file.sync();
        const { buffer, bytesRead } = await file.read(Buffer.alloc(20), 0, 20, 0);
        assert.equal(buffer.toString('latin1', 0, bytesRead), 'before after');
        assert.equal((await file.stat()).size, 12);
      } finally {
        await file.close();
      }
      await assert.rejects(stat(join(directory, 'f')), { code: 'ENOENT' });
    },
  },
  {
    name: 'a file that is replaced while it is open goes on',
    async run(directory) {
      await writeFile(join(directory, 'f'), 'old');
      await writeFile(join(directory, 'g'), 'new');
      const file = await open(join(directory, 'f'), 'r');
      try {
        await rename(join(directory, 'g'), join(directory, 'f'));
        assert.equal(await file.readFile('latin1'), 'old');
      } finally {
        await file.close();
      }
      assert.equal(await readFile(join(directory, 'f'), 'latin1'), 'new');
    },
  },
  {
    name: 'a shared mapping is written back',
    async run(directory) {
      await succeed(
        `python3 -c "
import mmap
with open('f', 'wb') as f: f.write(bytes(10000))
with open('f', 'r+b') as f:
    m = mmap.mmap(f.fileno(), 0)
    m[5000:5005] = b'mmapd'
    m.flush(); m.close()
"
         dd if=f bs=1 skip=5000 count=5 status=none`,
        directory,
      ).then((output) => assert.equal(output, 'mmapd'));
    },
  },
  {
    name: 'a mapping is written back in its place while the file is open for appending',
    async run(directory) {
      await succeed(
        `python3 - <<'END'
import mmap, os
open('f', 'wb').write(bytes(10000))
appending = os.open('f', os.O_RDWR | os.O_APPEND)
view = mmap.mmap(appending, 10000)
view[5000:5005] = b'mmapd'
view.flush()
os.write(appending, b'end')
content = bytes(5000) + b'mmapd' + bytes(4995) + b'end'
assert os.pread(appending, 20000, 0) == content
view.close(); os.close(appending)
assert open('f', 'rb').read() == content
END`,
        directory,
      );
    },
  },
  {
    name: 'a file that is open for direct I/O can be mapped, and both see the same bytes',
    async run(directory) {
      // Linux refuses it to FUSE before 6.6.
      await succeed(
        `python3 - <<'END'
import errno, mmap, os
K = 4096
open('f', 'wb').write(bytes(2 * K))
direct = os.open('f', os.O_RDWR | os.O_DIRECT)
page = mmap.mmap(-1, K)
try:
    view = mmap.mmap(direct, 2 * K)
except OSError as error:
    release = tuple(int(part) for part in os.uname().release.split('.')[:2])
    assert error.errno == errno.ENODEV and release < (6, 6), error
    os._exit(0)
view[K:] = b'm' * K
assert os.preadv(direct, [page], K) == K and page[:] == b'm' * K
page[:] = b'd' * K
assert os.pwritev(direct, [page], 0) == K
assert view[:] == b'd' * K + b'm' * K
view.close(); os.close(direct)
assert open('f', 'rb').read() == b'd' * K + b'm' * K
END`,
        directory,
      );
    },
  },
  {
    name: 'a file without a name is made, and named when it is complete',
    async run(directory) {
      await succeed(
        `python3 - <<'END'
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def name(fd, path): return libc.linkat(-100, b'/proc/self/fd/%d' % fd, -100, path, 0x400)
fd = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o640)
os.write(fd, b'complete')
assert os.listdir('.') == []
status = os.fstat(fd)
assert status.st_nlink == 0 and status.st_mode & 0o777 == 0o640 and status.st_size == 8, status
assert name(fd, b'f') == 0
assert os.fstat(fd).st_nlink == 1
os.write(fd, b' and more'); os.close(fd)
assert open('f').read() == 'complete and more'
secret = os.open('.', os.O_TMPFILE | os.O_RDWR | os.O_EXCL, 0o600)
os.write(secret, b'x' * 100000); os.fsync(secret)
assert os.pread(secret, 10, 99995) == b'x' * 5
assert name(secret, b'g') != 0 and ctypes.get_errno() == 2
os.close(secret)
assert os.listdir('.') == ['f']
END`,
        directory,
      );
    },
  },
  {
    name: 'locks hold between programs of one machine',
    async run(directory) {
      const output = await succeed(
        'touch f; flock f bash -c "sleep 0.3; echo first" & sleep 0.1; flock f echo second; wait',
        directory,
      );
      assert.equal(output, 'first\nsecond\n');
    },
  },
];
