// What programs expect of extended attributes and of the rights that lie in them.
import { succeed } from '../support/shell.js';
import type { MountCase } from './mount-cases.js';

function python(directory: string, script: string): Promise<string> {
  const program = `
import errno, os
def refused(call, *arguments):
    try: call(*arguments)
    except OSError as error: return errno.errorcode[error.errno]
    return 'nothing'
${script}
`;
  return succeed(`python3 - <<'END'${program}END`, directory);
}

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
