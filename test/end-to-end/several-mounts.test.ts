// Several mounts of one store: each sees what the others do, without opening
// anew, and their locks are the same locks.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { Cluster, run, until } from '../support/cluster.js';
import { Program } from '../support/program.js';
import { requireFuse } from '../support/require-fuse.js';

/** Shorter than the time for which the kernel believes attributes by itself: what is seen within it was pushed. */
const PUSHED_MS = 20_000;

/** A mount that was stopped has found its mediator again, long before the kernel would ask by itself. */
const TAKEN_UP_MS = 15_000;

describe('several mounts', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let second: string;
  const programs: Program[] = [];

  before(async function () {
    requireFuse(this);
    // Long timeouts of the kernel: what changes meanwhile must be pushed.
    cluster = await Cluster.start({ servers: 3, attributeTimeoutMs: 60_000 });
    second = join(cluster.folder, 'second');
    await mkdir(second);
    await cluster.must('mount', second);
  });

  after(async () => {
    await Promise.all(programs.map((program) => program.end()));
    if (second !== undefined) await run('umount', ['-l', second], '/');
    await cluster?.destroy();
  });

  function program(): Program {
    const started = new Program();
    programs.push(started);
    return started;
  }

  const here = (line: string) => cluster.shell(line);
  const there = (line: string) => run('timeout', ['-k', '5', '50', 'bash', '--norc', '-c', line], second);

  async function seenThere(line: string, expected: string): Promise<void> {
    const seen = async () => (await there(line)).stdout.trim() === expected;
    await until(`${line} to say ${expected}`, seen, PUSHED_MS);
  }

  it('see names come and go, and attributes change', async () => {
    assert.equal((await there('stat -c %a made')).status, 1);
    await here('echo one > made; chmod 640 made');
    await seenThere('stat -c %a made', '640');
    await here('chmod 600 made; ln made twin');
    await seenThere('stat -c "%a %h" made', '600 2');
    await here('mv made moved');
    await seenThere('ls', 'moved\ntwin');
    await here('mkdir -p d/e; rm twin');
    await seenThere('ls; stat -c %h d', 'd\nmoved\n3');
  });

  it('see bytes that another mount wrote without opening anew, also through mmap', async () => {
    const reader = program();
    await here('printf 0123456789 > shared');
    assert.equal(await reader.does(`fd = os.open("${second}/shared", os.O_RDONLY)`), 'done');
    assert.equal(await reader.does('os.pread(fd, 20, 0)'), "b'0123456789'");
    assert.equal(await reader.does('m = mmap.mmap(fd, 10, mmap.MAP_SHARED, mmap.PROT_READ)'), 'done');
    assert.equal(await reader.does('m[:]'), "b'0123456789'");
    await here('printf abcdefghij > shared');
    await until('the new bytes', async () => (await reader.does('os.pread(fd, 20, 0)')) === "b'abcdefghij'", PUSHED_MS);
    await until('the new bytes in memory', async () => (await reader.does('m[:]')) === "b'abcdefghij'", PUSHED_MS);
    await here('printf longer-than-before > shared');
    await until('the new size', async () => (await reader.does('os.fstat(fd).st_size')) === '18', PUSHED_MS);
  });

  it('open what was closed before, also where the file was replaced', async () => {
    for (let round = 0; round < 50; round++) {
      const { status, stderr } = await run(
        'bash',
        [
          '--norc',
          '-c',
          `echo ${round} > mnt/new && mv mnt/new mnt/current && test "$(cat second/current)" = ${round}`,
        ],
        cluster.folder,
      );
      assert.equal(status, 0, `round ${round}: ${stderr}`);
    }
  });

  for (const [name, lock, unlock] of [
    ['fcntl', 'fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)', 'fcntl.lockf(f, fcntl.LOCK_UN)'],
    ['flock', 'fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)', 'fcntl.flock(f, fcntl.LOCK_UN)'],
  ] as const) {
    it(`share ${name} locks`, async () => {
      await here('echo > locked');
      const one = program();
      const other = program();
      await one.does(`f = open("${cluster.mountPoint}/locked", "r+")`);
      await other.does(`f = open("${second}/locked", "r+")`);
      assert.equal(await one.does(lock), 'None');
      assert.equal(await other.does(lock), 'errno 11');
      const waiting = other.does(lock.replace(' | fcntl.LOCK_NB', ''));
      assert.equal(await one.does(unlock), 'None');
      assert.equal(await waiting, 'None');
      assert.equal(await one.does(lock), 'errno 11');
      assert.equal(await other.does('f.close()'), 'None');
      // The kernel tells of the end of an open file behind the program's back.
      await until('the lock of a file that was closed', async () => (await one.does(lock)) === 'None');
      await one.end();
      const third = program();
      await third.does(`f = open("${second}/locked", "r+")`);
      await until('the lock of a program that was killed', async () => (await third.does(lock)) === 'None');
    });
  }

  for (const call of ['flock', 'lockf']) {
    it(`see under a lock by ${call} what was written under it in another mount`, async () => {
      const rounds = 200;
      // It stays open: the kernel keeps its pages.
      const counts = [
        'import os, fcntl',
        'f = os.open("counter", os.O_RDWR)',
        `for n in range(${rounds}):`,
        `    fcntl.${call}(f, fcntl.LOCK_EX)`,
        '    value = int(os.pread(f, 20, 0))',
        '    os.pwrite(f, str(value + 1).encode(), 0)',
        `    fcntl.${call}(f, fcntl.LOCK_UN)`,
      ].join('\n');
      await here('echo 0 > counter');
      const counters = [here, there].map((mount) => mount(`python3 -c '${counts}'`));
      for (const { status, stderr } of await Promise.all(counters)) assert.equal(status, 0, stderr);
      for (const mount of [here, there]) {
        assert.equal(Number((await mount('cat counter')).stdout), 2 * rounds);
      }
    });
  }

  it('append to one file without losing or tearing a line', async () => {
    const lines = 150;
    // So long that many lie in two pages.
    const rest = ' of a line that has some length'.repeat(40);
    // An error of the close is one too, which a shell does not tell.
    const eachOpens = (name: string) =>
      [
        'import os',
        `for n in range(1, ${lines} + 1):`,
        '    f = os.open("appended", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)',
        `    os.write(f, (f"${name} {n}" + " of a line that has some length" * 40 + "\\n").encode())`,
        '    os.close(f)',
      ].join('\n');
    const staysOpen = (name: string) =>
      [
        'import os, sys',
        'f = os.open("appended", os.O_WRONLY | os.O_APPEND)',
        `for n in range(1, ${lines} + 1):`,
        `    os.write(f, (f"${name} {n}" + " of a line that has some length" * 40 + "\\n").encode())`,
        '    if n % 5 == 0: os.fsync(f)',
      ].join('\n');
    await here(': > appended');
    const writers = [
      here(`python3 -c '${eachOpens('a')}'`),
      there(`python3 -c '${eachOpens('b')}'`),
      here(`python3 -c '${staysOpen('c')}'`),
      there(`python3 -c '${staysOpen('d')}'`),
    ];
    for (const { status, stderr } of await Promise.all(writers)) assert.equal(status, 0, stderr);
    for (const mount of [here, there]) {
      const found = (await mount('cat appended')).stdout.split('\n');
      assert.equal(found.pop(), '');
      const expected = ['a', 'b', 'c', 'd'].map((name) =>
        Array.from({ length: lines }, (_, n) => `${name} ${n + 1}${rest}`),
      );
      const strange = found.filter((line) => !expected.flat().includes(line));
      const missing = expected.flat().filter((line) => !found.includes(line));
      assert.deepEqual({ strange, missing }, { strange: [], missing: [] });
      for (const [at, name] of ['a', 'b', 'c', 'd'].entries()) {
        const ofOne = found.filter((line) => line.startsWith(name));
        assert.deepEqual(ofOne, expected[at]);
      }
      assert.equal(found.length, 4 * lines);
    }
  });

  for (const [how, command] of [
    ['unlinked', 'rm gone'],
    ['replaced', 'echo new > other && mv other gone'],
  ] as const) {
    it(`keep the content of a file that another one has ${how} until the last close`, async () => {
      const reader = program();
      const writer = program();
      await here('head -c 300000 /dev/zero | tr "\\0" x > gone; echo small > small');
      assert.equal(await reader.does(`r = open("${second}/gone", "rb")`), 'done');
      assert.equal(await writer.does(`w = open("${second}/gone", "r+b", 0)`), 'done');
      assert.equal((await here(command)).status, 0);
      await untilNameless(1);
      assert.equal(await reader.does('len(r.read())'), '300000');
      assert.equal(await writer.does('w.seek(299999), w.write(b"yy"), os.fsync(w.fileno())'), '(299999, 2, None)');
      assert.equal(await reader.does('os.pread(r.fileno(), 9, 299998)'), "b'xyy'");
      assert.equal(await writer.does('os.fstat(w.fileno()).st_nlink'), '0');
      await reader.does('r.close()');
      assert.equal(await writer.does('os.pread(w.fileno(), 9, 299998)'), "b'xyy'");
      await writer.does('w.close()');
      await untilNameless(0);
    });
  }

  it('lose their locks, and what only they kept alive, when they are killed', async () => {
    await here('echo > orphaned; echo kept > unlinked; echo kept too > unlinked-here');
    const other = program();
    await other.does(`f = open("${second}/orphaned", "r+")`);
    assert.equal(await other.does('fcntl.lockf(f, fcntl.LOCK_EX)'), 'None');
    await other.does(`g = open("${second}/unlinked")`);
    assert.equal(await other.does(`os.unlink("${second}/unlinked")`), 'None');
    assert.equal(await other.does('g.read()'), "'kept\\n'");
    await other.does(`h = open("${second}/unlinked-here")`);
    await here('rm unlinked-here');
    assert.equal(await other.does('h.read()'), "'kept too\\n'");
    await untilNameless(2);
    process.kill(await mountProcess(), 'SIGKILL');
    const one = program();
    await one.does(`f = open("${cluster.mountPoint}/orphaned", "r+")`);
    await until('the lock of a mount that was killed', async () =>
      (await one.does('fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)')).startsWith('None'),
    );
    await untilNameless(0);
    await run('umount', ['-l', second], '/');
    await cluster.must('mount', second);
    await seenThere('cat current', '49');
  });

  it('find a file under its name, whatever they do with it, while another one replaces it again and again', async () => {
    // The kernel asks for everything anew. What is replaced goes at once: the mediator has been there for long.
    const asking = join(cluster.folder, 'asking');
    await mkdir(asking);
    await cluster.must('mount', asking, '-o', 'attribute_timeout=0');
    await here('echo 0 > replaced');
    const replacing = here(
      'for ((n = 0; n < 3000; n++)); do echo $n > new && mv new replaced && test ! -e enough || break; done',
    );
    // The kernel looks the path up a second time, not a third: by then the file may have been replaced again.
    const using = [
      'import errno, os',
      'found, stale = set(), 0',
      'def link(path): os.link(path, "linked"); os.unlink("linked")',
      'def look(path): found.add(os.stat(path).st_ino)',
      'calls = [look, lambda path: os.chmod(path, 0o600), os.listxattr, link]',
      'for n in range(200):',
      '    for call in calls:',
      '        try: call("replaced")',
      '        except OSError as error:',
      '            if error.errno != errno.ESTALE: raise',
      '            stale += 1',
      'print(len(found), stale)',
    ];
    const { status, stdout, stderr } = await run('timeout', ['50', 'python3', '-c', using.join('\n')], asking);
    await here('touch enough');
    assert.equal((await replacing).status, 0);
    await cluster.must('umount', asking);
    assert.equal(status, 0, stderr);
    const [found = 0, stale = 0] = stdout.split(' ').map(Number);
    assert.ok(found > 20 && stale < 100, `${found} of the files were seen, ${stale} of 800 calls came too late twice`);
  });

  it('are taken up again when the mediator was started anew, with the locks and files they had', async () => {
    const other = program();
    await here('echo > regained; echo kept > unlinked; echo kept too > unlinked-here');
    await other.does(`f = open("${second}/regained", "r+")`);
    assert.equal(await other.does('fcntl.lockf(f, fcntl.LOCK_EX)'), 'None');
    await other.does(`g = open("${second}/unlinked")`);
    assert.equal(await other.does(`os.unlink("${second}/unlinked")`), 'None');
    await other.does(`h = open("${second}/unlinked-here")`);
    await here('rm unlinked-here');
    process.kill(await cluster.pidOf('mediator'), 'SIGKILL');
    // From outside: nothing can be started in the folder of a mount whose server is gone.
    const outside = (file: string) => run('timeout', ['-k', '5', '50', 'cat', file], cluster.folder);
    await until('the first mount again', async () => (await outside('mnt/current')).stdout === '49\n');
    await until('the second mount again', async () => (await outside('second/current')).stdout === '49\n');
    const one = program();
    await one.does(`f = open("${cluster.mountPoint}/regained", "r+")`);
    await until('the lock to be known again', async () =>
      (await one.does('fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)')).startsWith('errno 11'),
    );
    assert.equal(await other.does('os.pread(g.fileno(), 10, 0)'), "b'kept\\n'");
    assert.equal(await other.does('os.pread(h.fileno(), 10, 0)'), "b'kept too\\n'");
  });

  it('forget all names after changes that they could not hear of', async function () {
    const [major = 0, minor = 0] = release().split('.').map(Number);
    if (major < 6 || (major === 6 && minor < 16)) {
      process.stdout.write('skipped: before Linux 6.16 a kernel can not be told to forget all names\n');
      // There, names count for as long as the kernel was told: 60 seconds in this cluster.
      this.skip();
    }
    await here('echo > early; echo > stays');
    await seenThere('ls early stays', 'early\nstays');
    const secondPid = await mountProcess();
    process.kill(secondPid, 'SIGSTOP');
    try {
      process.kill(await cluster.pidOf('mediator'), 'SIGKILL');
      const outside = () => run('timeout', ['-k', '5', '50', 'mv', 'mnt/early', 'mnt/late'], cluster.folder);
      await until('the first mount again', async () => (await outside()).status === 0);
    } finally {
      process.kill(secondPid, 'SIGCONT');
    }
    const namesThere = () => run('timeout', ['-k', '5', '50', 'stat', '-c', '%n', 'early', 'late', 'stays'], second);
    await until('the new name alone', async () => (await namesThere()).stdout === 'late\nstays\n', TAKEN_UP_MS);
  });

  /** Until a data server holds blocks of so many files without a name: a count of all blocks goes down on its own as well. */
  const untilNameless = (count: number) =>
    until(`${count} files without a name`, async () => (await cluster.nameless('data1')) === count);

  async function mountProcess(): Promise<number> {
    const { stdout } = await run('pgrep', ['-f', `main.js mount ${second} --foreground`], '/');
    const [pid] = stdout.trim().split('\n').map(Number);
    assert.ok(pid !== undefined && pid > 0, 'the mount has a process');
    assert.match(await readFile(`/proc/${pid}/cmdline`, 'utf8'), /mount/);
    return pid;
  }
});
