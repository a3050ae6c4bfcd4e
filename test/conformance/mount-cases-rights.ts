// What programs expect of extended attributes and of the rights that lie in them.
import { python, succeed } from '../support/shell.js';
import type { MountCase } from './mount-case.js';

export const rightsCases: MountCase[] = [
  {
    name: 'extended attributes of users',
    async run(directory) {
      await python(
        directory,
        `
open('f', 'w').close()
os.setxattr('f', 'user.a', b'\\x00value'); os.setxattr('f', 'user.b', b'')
assert os.getxattr('f', 'user.a') == b'\\x00value'
assert sorted(os.listxattr('f')) == ['user.a', 'user.b'], os.listxattr('f')
os.removexattr('f', 'user.a')
assert refused(os.getxattr, 'f', 'user.a') == 'ENODATA'
assert refused(os.removexattr, 'f', 'user.a') == 'ENODATA'
assert refused(os.setxattr, 'f', 'user.b', b'x', os.XATTR_CREATE) == 'EEXIST'
assert refused(os.setxattr, 'f', 'user.c', b'x', os.XATTR_REPLACE) == 'ENODATA'
`,
      );
    },
  },
  {
    name: 'extended attributes of the system, and security labels',
    async run(directory) {
      await python(
        directory,
        `
os.mkdir('d')
for path in 'd', '.':
    for name in 'trusted.t', 'security.label', 'user.u':
        assert refused(os.getxattr, path, name) == 'ENODATA', (path, name)
        os.setxattr(path, name, b'value')
        assert os.getxattr(path, name) == b'value'
        assert name in os.listxattr(path)
        os.removexattr(path, name)
    assert refused(os.setxattr, path, 'unknown.u', b'') in ('EOPNOTSUPP', 'ENOTSUP')
`,
      );
    },
  },
  {
    name: 'extended attributes have the limits of Linux',
    async run(directory) {
      await python(
        directory,
        `
open('f', 'w').close()
longest = 'user.' + 'n' * 250
os.setxattr('f', longest, b'x' * 2000)
assert os.getxattr('f', longest) == b'x' * 2000 and os.listxattr('f') == [longest]
assert refused(os.setxattr, 'f', longest + 'n', b'') == 'ERANGE'
assert refused(os.setxattr, 'f', 'user.', b'') == 'EINVAL'
assert refused(os.setxattr, 'f', 'user.a', b'x' * 65537) == 'E2BIG'
`,
      );
    },
  },
  {
    name: 'access control lists are obeyed, kept in step with the mode, and inherited',
    async run(directory) {
      await python(
        directory,
        `
import struct, subprocess
ACCESS, DEFAULT = 'system.posix_acl_access', 'system.posix_acl_default'
OWNER, USER, GROUP, NAMED, MASK, OTHER, NOBODY = 1, 2, 4, 8, 16, 32, 65534
def acl(*entries):
    return struct.pack('<I', 2) + b''.join(struct.pack('<HHI', tag, bits, who) for tag, bits, who in entries)
def entries(path, name=ACCESS):
    value = os.getxattr(path, name)
    return [struct.unpack_from('<HHI', value, at)[:2] for at in range(4, len(value), 8)]
def mode(path): return os.stat(path).st_mode & 0o7777
def reads(path, uid=NOBODY):
    command = ['setpriv', '--reuid', str(uid), '--regid', str(uid), '--clear-groups', 'cat', path]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
NONE = 0xffffffff
os.chmod('.', 0o755)
os.umask(0o022)
open('f', 'w').close(); os.chmod('f', 0o640)
assert not reads('f')
assert refused(os.getxattr, 'f', ACCESS) == 'ENODATA'
os.setxattr('f', ACCESS, acl((OWNER, 6, NONE), (USER, 4, NOBODY), (GROUP, 0, NONE), (MASK, 5, NONE), (OTHER, 0, NONE)))
assert mode('f') == 0o650, oct(mode('f'))
assert reads('f') and not reads('f', 65533)
assert os.listxattr('f') == [ACCESS]
os.chmod('f', 0o600)
assert entries('f') == [(OWNER, 6), (USER, 4), (GROUP, 0), (MASK, 0), (OTHER, 0)], entries('f')
assert not reads('f')
os.chmod('f', 0o644)
assert reads('f')
os.setxattr('f', ACCESS, acl((OWNER, 6, NONE), (GROUP, 4, NONE), (OTHER, 0, NONE)))
assert mode('f') == 0o640 and os.listxattr('f') == [] and not reads('f')
assert refused(os.setxattr, 'f', DEFAULT, acl((OWNER, 6, NONE), (GROUP, 4, NONE), (OTHER, 0, NONE))) == 'EACCES'
assert refused(os.setxattr, 'f', ACCESS, b'nonsense') in ('EINVAL', 'EOPNOTSUPP', 'ENOTSUP')

os.mkdir('d')
assert mode('d') == 0o755
lists = acl((OWNER, 7, NONE), (USER, 7, NOBODY), (GROUP, 7, NONE), (MASK, 7, NONE), (OTHER, 0, NONE))
os.setxattr('d', DEFAULT, lists)
assert mode('d') == 0o755
os.close(os.open('d/file', os.O_CREAT | os.O_WRONLY, 0o666))
assert mode('d/file') == 0o660, oct(mode('d/file'))
assert entries('d/file') == [(OWNER, 6), (USER, 7), (GROUP, 7), (MASK, 6), (OTHER, 0)], entries('d/file')
assert reads('d/file')
os.mkdir('d/sub', 0o777)
assert mode('d/sub') == 0o770 and os.getxattr('d/sub', DEFAULT) == lists
os.mkfifo('d/fifo', 0o600)
assert mode('d/fifo') == 0o600
os.symlink('file', 'd/link')
os.removexattr('d', DEFAULT)
os.close(os.open('d/plain', os.O_CREAT | os.O_WRONLY, 0o666))
assert mode('d/plain') == 0o644 and os.listxattr('d/plain') == []
os.removexattr('d/file', ACCESS)
assert mode('d/file') == 0o660
`,
      );
    },
  },
  {
    name: 'a capability goes when the content or the owner changes, and stays otherwise',
    async run(directory) {
      await succeed(
        `cp /bin/cat f; has() { getcap f | grep -q cap_net_raw; }
         give() { setcap cap_net_raw+ep f; has; }
         give; chmod 700 f; touch f; mv f g; mv g f; cat f > /dev/null; has
         for change in 'echo >> f' ': > f' 'truncate -s 3 f' 'truncate -s 30 f' 'chown 7 f' 'chgrp 7 f' 'dd if=/dev/zero of=f count=1 conv=notrunc status=none'
         do give; eval "$change"; if has; then echo "still there after $change"; exit 1; fi; done
         python3 - <<'END'
import os, subprocess
fd = os.open('f', os.O_RDWR)
os.write(fd, b'x' * 100)
subprocess.run(['setcap', 'cap_net_raw+ep', 'f'], check=True)
assert os.getxattr('f', 'security.capability')
os.write(fd, b'more')
assert 'security.capability' not in os.listxattr('f')
END`,
        directory,
      );
    },
  },
];
