// What programs expect of holes, of space set aside, of copies made by the
// kernel, and of offsets that are very large.
import { python as runPython, succeed } from '../support/shell.js';
import type { MountCase } from './mount-case.js';

/** fallocate(2) as Python calls it, and the names of its modes. */
const FALLOCATE = `
import ctypes, mmap
libc = ctypes.CDLL(None, use_errno=True)
KEEP, PUNCH, ZERO = 1, 2, 16
M = 2**20
def fallocate(fd, mode, offset, length):
    if libc.fallocate(fd, mode, ctypes.c_int64(offset), ctypes.c_int64(length)) != 0:
        raise OSError(ctypes.get_errno(), 'fallocate')
`;

const python = (directory: string, script: string) => runPython(directory, FALLOCATE + script);

export const sparseCases: MountCase[] = [
  {
    name: 'a hole reads as zeros, takes no space and keeps the size',
    async run(directory) {
      await python(
        directory,
        `
content = bytearray(os.urandom(4 * M + 1000))
fd = os.open('f', os.O_RDWR | os.O_CREAT)
os.write(fd, content); os.fsync(fd)
before = os.fstat(fd).st_blocks
for offset, length in ((M + 100, 2 * M), (4 * M - 50, 5000), (9 * M, M), (5, 7)):
    fallocate(fd, PUNCH | KEEP, offset, length)
    end = min(offset + length, len(content))
    if offset < end: content[offset:end] = bytes(end - offset)
    assert os.pread(fd, len(content) + 10, 0) == content, offset
assert os.fstat(fd).st_size == len(content)
assert os.fstat(fd).st_blocks <= before - 1.8 * M / 512, (before, os.fstat(fd).st_blocks)
os.close(fd)
assert open('f', 'rb').read() == content
`,
      );
    },
  },
  {
    name: 'a hole comes after what was written before it and before what is written after it',
    async run(directory) {
      await python(
        directory,
        `
fd = os.open('f', os.O_RDWR | os.O_CREAT)
os.pwrite(fd, b'a' * M, 0)
view = mmap.mmap(fd, M)
assert view[5000] == 97
fallocate(fd, PUNCH | KEEP, 1000, M - 2000)
os.pwrite(fd, b'b' * 10, 5000)
assert os.pread(fd, 20, 4995) == bytes(5) + b'b' * 10 + bytes(5)
assert view[4999] == 0 and view[5000] == 98 and view[999] == 97
view[6000:6005] = b'ccccc'
view.flush()
fallocate(fd, PUNCH | KEEP, 6002, 1)
assert os.pread(fd, 5, 6000) == b'cc' + bytes(1) + b'cc'
assert bytes(view[6000:6005]) == b'cc' + bytes(1) + b'cc'
view.close(); os.close(fd)
content = open('f', 'rb').read()
assert content[:1000] == b'a' * 1000 and content[M - 1000:] == b'a' * 1000
assert content.count(b'b') == 10 and content.count(b'c') == 4
`,
      );
    },
  },
  {
    name: 'space is set aside and zeros are laid, with a new end or without',
    async run(directory) {
      await python(
        directory,
        `
fd = os.open('f', os.O_RDWR | os.O_CREAT)
os.write(fd, b'x' * 100)
os.posix_fallocate(fd, 0, 2 * M)
assert os.fstat(fd).st_size == 2 * M
os.posix_fallocate(fd, 10, 10)
fallocate(fd, KEEP, 0, 3 * M)
fallocate(fd, ZERO | KEEP, 90, 4 * M)
assert os.fstat(fd).st_size == 2 * M
assert os.pread(fd, 200, 0) == b'x' * 90 + bytes(110)
fallocate(fd, ZERO, 80, 4 * M)
assert os.fstat(fd).st_size == 4 * M + 80
assert os.pread(fd, 5 * M, 0) == b'x' * 80 + bytes(4 * M)
assert refused(fallocate, fd, PUNCH, 0, 1) in ('EOPNOTSUPP', 'ENOTSUP')
assert refused(fallocate, fd, 0, 0, 0) == 'EINVAL'
reader = os.open('f', os.O_RDONLY)
assert refused(fallocate, reader, 0, 0, 1) == 'EBADF'
`,
      );
    },
  },
  {
    name: 'a hole takes set-user-id away when somebody else makes it',
    async run(directory) {
      await succeed(
        'echo xxxxxxxx > f; chmod 4777 f; setpriv --reuid 65534 --regid 65534 --clear-groups fallocate -p -l 4 f; test "$(stat -c %a f)" = 777',
        directory,
      );
    },
  },
  {
    name: 'data and holes are found',
    async run(directory) {
      await python(
        directory,
        `
fd = os.open('f', os.O_RDWR | os.O_CREAT)
assert refused(os.lseek, fd, 0, os.SEEK_DATA) == 'ENXIO'
assert refused(os.lseek, fd, 0, os.SEEK_HOLE) == 'ENXIO'
os.pwrite(fd, b'x' * M, 2 * M)
os.ftruncate(fd, 6 * M)
assert os.lseek(fd, 0, os.SEEK_DATA) == 2 * M
assert os.lseek(fd, 0, os.SEEK_HOLE) == 0
assert os.lseek(fd, 2 * M + 5, os.SEEK_DATA) == 2 * M + 5
assert os.lseek(fd, 2 * M + 5, os.SEEK_HOLE) == 3 * M
assert refused(os.lseek, fd, 3 * M, os.SEEK_DATA) == 'ENXIO'
assert os.lseek(fd, 3 * M, os.SEEK_HOLE) == 3 * M
os.pwrite(fd, b'x' * M, 5 * M)
assert os.lseek(fd, 3 * M, os.SEEK_DATA) == 5 * M
assert os.lseek(fd, 5 * M, os.SEEK_HOLE) == 6 * M
for whence in (os.SEEK_DATA, os.SEEK_HOLE):
    for offset in (6 * M, 2**40, 2**62, -1): assert refused(os.lseek, fd, offset, whence) == 'ENXIO'
fallocate(fd, PUNCH | KEEP, 2 * M, M)
assert os.lseek(fd, 0, os.SEEK_DATA) == 5 * M
assert os.lseek(fd, 0, os.SEEK_END) == 6 * M and os.lseek(fd, 10, os.SEEK_SET) == 10
`,
      );
    },
  },
  {
    name: 'cp and tar keep holes',
    async run(directory) {
      await succeed(
        `truncate -s 20M f; echo middle | dd of=f bs=1M seek=10 conv=notrunc status=none
         cp --sparse=always f g; cp f h; tar -cSf archive.tar f; mkdir to; tar -xf archive.tar -C to
         for copy in g h to/f; do cmp f $copy; test "$(stat -c %b $copy)" -lt 4096; done; test "$(stat -c %s archive.tar)" -lt 2000000`,
        directory,
      );
    },
  },
  {
    name: 'ranges are copied between files and within one',
    async run(directory) {
      await python(
        directory,
        `
content = bytearray(os.urandom(20 * M + 77))
source = os.open('f', os.O_RDWR | os.O_CREAT); os.write(source, content)
target = os.open('g', os.O_RDWR | os.O_CREAT); os.write(target, b'y' * M)
view = mmap.mmap(target, M)
assert view[5000] == 121
def copy(a, from_, b, to, length):
    done = 0
    while done < length:
        count = os.copy_file_range(a, b, length - done, from_ + done, to + done)
        if count == 0: break
        done += count
    return done
assert copy(source, 100, target, 4097, 5 * M) == 5 * M
assert os.pread(target, 6 * M, 0) == b'y' * 4097 + content[100:5 * M + 100]
assert view[4096] == 121 and view[4097:4107] == content[100:110]
assert copy(source, 20 * M, target, 10, 500) == 77
assert copy(source, 21 * M, target, 10, 500) == 0
assert os.pread(target, 77, 10) == content[20 * M:]
assert copy(target, 0, target, 8 * M, 2 * M) == 2 * M
assert os.pread(target, 2 * M, 0) == os.pread(target, 2 * M, 8 * M)
assert refused(os.copy_file_range, target, target, 100, 0, 50) == 'EINVAL'
assert copy(source, 5, target, 2**33 + 5, M) == M
assert copy(target, 2**33 + 5, target, 3, M) == M
assert os.pread(target, M, 3) == content[5:M + 5]
assert os.fstat(target).st_size == 2**33 + 5 + M
for fd in source, target: os.close(fd)
assert open('f', 'rb').read() == content
`,
      );
      await succeed('head -c 40000000 /dev/urandom > a; cp a b; cmp a b', directory);
    },
  },
  {
    name: 'files are longer than 4 GiB, and bytes stay where they were put',
    async run(directory) {
      await python(
        directory,
        `
marks = {4 * 2**30 - 3: b'across the border', 6 * 2**30 + 12345: b'beyond', 2**40 + 77: b'far', 100: b'near'}
fd = os.open('f', os.O_RDWR | os.O_CREAT)
for offset, mark in marks.items(): os.pwrite(fd, mark, offset)
os.fsync(fd)
for offset, mark in marks.items(): assert os.pread(fd, len(mark) + 2, offset - 1).strip(bytes(1)) == mark
assert os.pread(fd, 20, 12345) == bytes(20)
assert os.fstat(fd).st_size == 2**40 + 80, os.fstat(fd).st_size
assert os.fstat(fd).st_blocks < 2**20, os.fstat(fd).st_blocks
os.ftruncate(fd, 2**33 + 1)
assert os.fstat(fd).st_size == 2**33 + 1
os.close(fd)
assert os.stat('f').st_size == 2**33 + 1
`,
      );
    },
  },
  {
    name: 'holes lie beyond 4 GiB too',
    async run(directory) {
      await python(
        directory,
        `
fd = os.open('f', os.O_RDWR | os.O_CREAT)
for offset in (4 * 2**30 - 3, 6 * 2**30 + 12345, 2**40 + 77): os.pwrite(fd, b'across', offset)
assert os.lseek(fd, 2**32 + 2**20, os.SEEK_DATA) > 6 * 2**30 - M
fallocate(fd, PUNCH | KEEP, 2**32, 2**39)
assert os.pread(fd, 7, 4 * 2**30 - 3) == b'acr' + bytes(4)
assert os.pread(fd, 6, 6 * 2**30 + 12345) == bytes(6)
assert os.pread(fd, 6, 2**40 + 77) == b'across'
`,
      );
    },
  },
  {
    name: 'offsets that no file has are refused, never wrapped',
    async run(directory) {
      await python(
        directory,
        `
fd = os.open('f', os.O_RDWR | os.O_CREAT)
os.write(fd, b'content')
for offset in (2**61, 2**62 + 1, 2**63 - M):
    assert refused(os.pwrite, fd, b'x', offset) == 'EFBIG', offset
    assert refused(os.ftruncate, fd, offset) == 'EFBIG', offset
    assert refused(fallocate, fd, 0, offset, 1) == 'EFBIG', offset
    assert refused(os.truncate, 'f', offset) == 'EFBIG', offset
    assert os.pread(fd, 10, offset) == b'', offset
assert refused(fallocate, fd, 0, 2**63 - 1, 2**62) == 'EFBIG'
assert refused(fallocate, fd, 0, -1, 5) == 'EINVAL'
assert refused(os.pwrite, fd, b'x', -1) == 'EINVAL'
assert os.fstat(fd).st_size == 7 and os.pread(fd, 10, 0) == b'content'
`,
      );
    },
  },
];
