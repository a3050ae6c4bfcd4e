// What programs expect of names, directories, links, owners and times.
import assert from 'node:assert/strict';
import { mkdir, open, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { shell, succeed } from '../support/shell.js';
import type { MountCase } from './mount-case.js';

export const treeCases: MountCase[] = [
  {
    name: 'ls shows names, sizes and kinds',
    async run(directory) {
      await succeed('printf 12345 > file; mkdir folder; ln -s file link; mkfifo pipe', directory);
      assert.equal(await succeed('ls -F', directory), 'file\nfolder/\nlink@\npipe|\n');
      assert.equal(await succeed('stat -c %s file', directory), '5\n');
    },
  },
  {
    name: 'cp -a keeps a tree as it is',
    async run(directory) {
      await succeed(
        `mkdir -p from/a/b; echo x > from/a/x; echo y > from/a/b/y; chmod 640 from/a/x; chown 1234:2345 from/a/b/y
         ln -s ../x from/a/b/s; ln from/a/x from/hard; touch -d '2001-02-03 04:05:06' from/a/x from/a/b; cp -a from to
         diff -r from to; tree() { (cd $1; find . -type d -printf '%p %m %T+ %U %G\\n' -o -printf '%p %m %s %T+ %U %G %n %l\\n' | sort); }
         sleep 1.1; diff <(tree from) <(tree to)`,
        directory,
      );
    },
  },
  {
    name: 'mv renames, moves and replaces',
    async run(directory) {
      await succeed('echo a > a; echo b > b; mkdir d; mv a c; mv c d/; mv d/c b; mv d e', directory);
      assert.equal(await succeed('cat b; ls', directory), 'a\nb\ne\n');
    },
  },
  {
    name: 'rename refuses what POSIX refuses',
    async run(directory) {
      await succeed('mkdir -p full/x empty; echo f > file', directory);
      const at = (name: string) => join(directory, name);
      await assert.rejects(rename(at('empty'), at('full')), { code: 'ENOTEMPTY' });
      await assert.rejects(rename(at('file'), at('empty')), { code: 'EISDIR' });
      await assert.rejects(rename(at('empty'), at('file')), { code: 'ENOTDIR' });
      await assert.rejects(rename(at('full'), at('full/x/y')), { code: 'EINVAL' });
      await rename(at('full'), at('empty'));
    },
  },
  {
    name: 'mv --no-clobber leaves what is there',
    async run(directory) {
      await shell('echo a > a; echo b > b; mv -n a b', directory);
      assert.equal(await succeed('cat b', directory), 'b\n');
    },
  },
  {
    name: 'renameat2 exchanges two names',
    async run(directory) {
      await succeed(
        `echo a > a; mkdir b
         python3 -c "
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
if libc.renameat2(-100, b'a', -100, b'b', 2): raise OSError(ctypes.get_errno(), 'renameat2')
"
         test -d a; cat b`,
        directory,
      );
    },
  },
  {
    name: 'mkdir -p and rm -r',
    async run(directory) {
      await succeed('mkdir -p a/b/c a/d; touch a/b/c/f a/d/g; rm -r a', directory);
      assert.deepEqual(await readdir(directory), []);
    },
  },
  {
    name: 'rmdir refuses a full directory, unlink a directory, mkdir a name that is there',
    async run(directory) {
      await succeed('mkdir -p a/b; touch f', directory);
      assert.match((await shell('rmdir a', directory)).complaint, /not empty/);
      assert.match((await shell('mkdir f', directory)).complaint, /exists/);
      await assert.rejects(unlink(join(directory, 'a')), { code: /EISDIR|EPERM/ });
      await assert.rejects(readFile(join(directory, 'missing')), { code: 'ENOENT' });
      await assert.rejects(readFile(join(directory, 'f/x')), { code: 'ENOTDIR' });
    },
  },
  {
    name: 'hard links share content and count',
    async run(directory) {
      await succeed('echo one > a; ln a b; echo two >> b; rm a; cat b', directory);
      await succeed(
        'ln b c; sleep 1.1; test "$(stat -c %h b)" = 2; test "$(stat -c %i b)" = "$(stat -c %i c)"',
        directory,
      );
    },
  },
  {
    name: 'the count of links is right at once',
    async run(directory) {
      await succeed(
        'echo one > a; stat a; ln a b; test "$(stat -c %h a)" = 2; rm b; test "$(stat -c %h a)" = 1',
        directory,
      );
    },
  },
  {
    name: 'symbolic links, dangling ones too',
    async run(directory) {
      await succeed(
        `echo x > file; ln -s file good; ln -s nowhere/at/all bad; ln -s "$(printf 'y%.0s' {1..1000})" long`,
        directory,
      );
      assert.equal(
        await succeed('cat good; readlink bad; readlink long | wc -c', directory),
        'x\nnowhere/at/all\n1001\n',
      );
    },
  },
  {
    name: 'chmod and chown',
    async run(directory) {
      await succeed('touch f; chmod 4751 f; chown 11:12 f; chmod 1777 .', directory);
      assert.equal(await succeed('stat -c "%a %u %g" f; stat -c %a .', directory), '751 11 12\n1777\n');
      await succeed('chmod 2750 f; test "$(stat -c %a f)" = 2750', directory);
    },
  },
  {
    name: 'a user without rights is refused, one with rights is not',
    async run(directory) {
      await succeed('chmod 755 .; echo secret > f; chmod 600 f; mkdir -m 777 open', directory);
      const asNobody = (script: string) =>
        shell(`setpriv --reuid 65534 --regid 65534 --clear-groups bash -c '${script}'`, directory);
      assert.match((await asNobody('cat f')).complaint, /Permission denied/);
      assert.match((await asNobody('touch new')).complaint, /Permission denied/);
      assert.equal((await asNobody('mkdir open/new')).status, 0);
    },
  },
  {
    name: 'new files belong to who makes them',
    async run(directory) {
      await succeed(
        'chmod 777 .; setpriv --reuid 65534 --regid 65533 --clear-groups bash -c "touch f; mkdir d; ln -s f s"',
        directory,
      );
      assert.equal(await succeed('stat -c "%u %g" f d s', directory), '65534 65533\n65534 65533\n65534 65533\n');
    },
  },
  {
    name: 'writing by somebody else takes set-user-id away',
    async run(directory) {
      await succeed(
        'echo x > f; chmod 4777 f; setpriv --reuid 65534 --regid 65534 --clear-groups bash -c "echo y >> f"',
        directory,
      );
      assert.equal(await succeed('stat -c %a f', directory), '777\n');
    },
  },
  {
    name: 'touch -d sets times',
    async run(directory) {
      await succeed(`touch f; touch -d '2010-11-12 13:14:15 UTC' f`, directory);
      assert.equal(await succeed('stat -c %Y f', directory), '1289567655\n');
    },
  },
  {
    name: 'one time is set alone',
    async run(directory) {
      await succeed(`touch -d '2010-01-01 UTC' f; touch -m -d '2012-01-01 UTC' f`, directory);
      assert.equal(await succeed('stat -c "%X %Y" f', directory), '1262304000 1325376000\n');
    },
  },
  {
    name: 'times in nanoseconds',
    async run(directory) {
      await succeed(`touch -d '2010-11-12 13:14:15.123456789 UTC' f`, directory);
      assert.equal(await succeed('TZ=UTC stat -c %y f', directory), '2010-11-12 13:14:15.123456789 +0000\n');
    },
  },
  {
    name: 'times before 1970 and after 2038',
    async run(directory) {
      for (const year of [1950, 2100]) {
        await succeed(`touch -d '${year}-01-01 00:00:00.25 UTC' f`, directory);
        assert.equal(await succeed('TZ=UTC stat -c %y f', directory), `${year}-01-01 00:00:00.250000000 +0000\n`);
      }
    },
  },
  {
    name: 'df tells a size and free space',
    async run(directory) {
      const [size, free] = (await succeed('df --output=size,avail . | tail -1', directory))
        .trim()
        .split(/\s+/)
        .map(Number);
      assert.ok((size ?? 0) > 0 && (free ?? 0) > 0 && (free ?? 0) <= (size ?? 0));
    },
  },
  {
    name: 'a directory that is removed while it is open is empty, has no link, and takes new attributes',
    async run(directory) {
      for (const remove of ['rmdir gone', 'mkdir other; mv -T other gone']) {
        await succeed('mkdir gone', directory);
        const handle = await open(join(directory, 'gone'));
        try {
          await succeed(remove, directory);
          assert.equal((await handle.stat()).nlink, 0);
          await handle.chmod(0o700);
          await handle.utimes(1, 2);
          await handle.sync();
          const { mode, mtimeMs, nlink } = await handle.stat();
          assert.deepEqual([mode & 0o7777, mtimeMs, nlink], [0o700, 2000, 0]);
          assert.deepEqual(await readdir(`/proc/self/fd/${handle.fd}`), []);
          await assert.rejects(writeFile(`/proc/self/fd/${handle.fd}/new`, ''), { code: 'ENOENT' });
        } finally {
          await handle.close();
        }
      }
    },
  },
  {
    name: "a process's working directory may be removed",
    async run(directory) {
      const command = `mkdir gone; cd gone; rmdir ../gone; stat -c '%h %F' .; ls -a; (touch new || true) 2>&1 | grep -o 'No such.*'`;
      assert.equal(await succeed(command, directory), '0 directory\nNo such file or directory\n');
    },
  },
  {
    name: 'find walks a tree',
    async run(directory) {
      await succeed('mkdir -p a/{1,2,3}/{x,y}; for d in a/*/*; do touch $d/f; done', directory);
      assert.equal(await succeed('find . -name f | wc -l; find . -type d | wc -l', directory), '6\n11\n');
    },
  },
  {
    name: 'tar and untar give the same tree',
    async run(directory) {
      await succeed(
        `mkdir -p from/deep/er; seq 1 5000 > from/numbers; echo x > from/deep/x; ln -s numbers from/link; chmod 600 from/numbers
         touch -d '1999-09-09 09:09:09' from/numbers from/deep/x; tar cf archive.tar from; mkdir to; tar xf archive.tar -C to; sleep 1.1
         diff -r from to/from; test "$(stat -c '%a %Y' from/numbers)" = "$(stat -c '%a %Y' to/from/numbers)"`,
        directory,
      );
    },
  },
  {
    name: 'grep -r finds',
    async run(directory) {
      await succeed('mkdir -p a/b; echo needle > a/b/f; echo hay > a/g', directory);
      assert.equal(await succeed('grep -r needle .', directory), './a/b/f:needle\n');
    },
  },
  {
    name: 'three thousand names are listed, each once, also while some are removed',
    async run(directory) {
      await succeed('seq -f "name-%g" 1 3000 | xargs touch', directory);
      const names = await readdir(directory);
      assert.equal(names.length, 3000);
      assert.equal(new Set(names).size, 3000);
      assert.equal(
        await succeed('ls -l | wc -l; find . -name "*7" -delete; ls | wc -l; cd ..', directory),
        '3001\n2700\n',
      );
    },
  },
  {
    name: 'names are bytes, UTF-8 or not',
    async run(directory) {
      const name = Buffer.from([0x66, 0xff, 0xfe, 0x80, 0x0a]);
      const path = Buffer.concat([Buffer.from(`${directory}/`), name]);
      await writeFile(path, 'x');
      assert.deepEqual(await readdir(directory, { encoding: 'buffer' }), [name]);
      await unlink(path);
    },
  },
  {
    name: 'names in UTF-8, up to 255 bytes and no more',
    async run(directory) {
      const longest = `${'ä'.repeat(127)}x`;
      await writeFile(join(directory, longest), 'x');
      assert.deepEqual(await readdir(directory), [longest]);
      await assert.rejects(writeFile(join(directory, `${longest}y`), 'x'), { code: 'ENAMETOOLONG' });
      await mkdir(join(directory, 'ünïcödé 漢字'));
    },
  },
];
