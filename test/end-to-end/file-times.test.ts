// Modification and change times as programs see them, on a real mount: of writes
// that are stored later, and of stores through mappings, which the kernel sends later.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { run } from '../support/cluster.js';
import { requireFuse } from '../support/require-fuse.js';
import { SecondMount } from '../support/second-mount.js';

/** What every program below begins with. */
const PRELUDE = `
import mmap, os, time
def times(path):
    s = os.stat(path)
    return s.st_mtime_ns, s.st_ctime_ns
def now(): return time.clock_gettime_ns(time.CLOCK_REALTIME)
SET = 10**18 + 7
`;

/** How a program ends what it did with the mapping \`m\` of descriptor \`f\`. */
const ENDINGS = {
  'msync, munmap and close': 'm.flush(); m.close(); os.close(f)',
  'munmap and close': 'm.close(); os.close(f)',
  'close and munmap': 'os.close(f); m.close()',
  'fsync, close and munmap': 'os.fsync(f); os.close(f); m.close()',
};

describe('times of a file', function () {
  this.timeout(120_000);
  let mounts: SecondMount | undefined;

  before(async function () {
    requireFuse(this);
    mounts = await SecondMount.start();
  });

  after(() => mounts?.destroy());

  /** Runs a program, whose assertions say what is expected, in a mount. */
  async function holds(program: string): Promise<void> {
    assert.ok(mounts !== undefined);
    const { cluster, folder } = mounts;
    const text = `${PRELUDE}SECOND = ${JSON.stringify(folder)}\n${program}`;
    const { status, stderr } = await run('timeout', ['-k', '5', '50', 'python3', '-c', text], cluster.mountPoint);
    assert.equal(status, 0, stderr);
  }

  it('are the time of a write, before its commit and after it', () =>
    holds(`
f = os.open('written', os.O_CREAT | os.O_RDWR)
before = now()
os.write(f, b'hi')
pending = times('written')
assert pending[0] == pending[1] and before <= pending[0] + 2_000_000, (before, pending)
os.fsync(f)
assert times('written') == pending, (pending, times('written'))
os.close(f)
assert times('written') == pending, (pending, times('written'))
assert times(SECOND + '/written') == pending, (pending, times(SECOND + '/written'))
`));

  for (const [name, call] of [
    ['chmod', "os.chmod('changed', 0o777)"],
    ['link', "os.link('changed', 'twin')"],
    ['setxattr', "os.setxattr('changed', 'user.x', b'y')"],
    ['chmod in another mount', "os.chmod(SECOND + '/changed', 0o755)"],
  ] as const) {
    it(`show ${name} after a write that is not stored yet, and go on showing it`, () =>
      holds(`
f = os.open('changed', os.O_CREAT | os.O_RDWR)
os.write(f, b'hi')
written = times('changed')
while now() < written[0] + 20_000_000: pass
${call}
deadline = now() + 900_000_000
while times('changed')[1] <= written[1] and now() < deadline: pass
changed = times('changed')
assert changed[0] == written[0] and changed[1] >= written[1] + 10_000_000, (written, changed)
os.fsync(f)
assert times('changed') == changed, (changed, times('changed'))
os.close(f)
assert times('changed') == changed, (changed, times('changed'))
`));
  }

  for (const [name, call] of Object.entries({
    fallocate: 'os.posix_fallocate(f, 0, 4096)',
    'an append': "os.write(os.open('cut', os.O_WRONLY | os.O_APPEND), b'x')",
    copy_file_range: 'os.copy_file_range(g, f, 2, 0, 0)',
  })) {
    it(`are new after ${name}, and equal`, () =>
      holds(`
g = os.open('source', os.O_CREAT | os.O_RDWR)
os.write(g, b'source')
f = os.open('cut', os.O_CREAT | os.O_RDWR | os.O_TRUNC)
os.write(f, b'hi')
os.fsync(f)
made = times('cut')
${call}
seen = times('cut')
assert seen[0] > made[0] and seen[0] == seen[1], (made, seen)
os.fsync(f)
assert times('cut') == seen, (seen, times('cut'))
`));
  }

  it('stay as another mount set them after a write that is not stored yet', () =>
    holds(`
f = os.open('set-there', os.O_CREAT | os.O_RDWR)
os.write(f, b'hi')
written = times('set-there')
while now() < written[0] + 20_000_000: pass
os.utime(SECOND + '/set-there', ns=(SET, SET))
deadline = now() + 900_000_000
while times('set-there')[0] != SET and now() < deadline: pass
os.fsync(f)
assert times('set-there')[0] == SET, times('set-there')
os.close(f)
assert times('set-there')[0] == SET, times('set-there')
assert open(SECOND + '/set-there', 'rb').read() == b'hi'
`));

  for (const [how, utime] of [
    ['utimes', "os.utime('mapped', ns=(SET, SET))"],
    ['futimens', 'os.utime(f, ns=(SET, SET))'],
  ] as const) {
    for (const [name, ending] of Object.entries(ENDINGS)) {
      it(`stay as ${how} set them after a store through a mapping, with ${name}`, () =>
        holds(`
size = 64 * 4096
f = os.open('mapped', os.O_CREAT | os.O_RDWR)
os.write(f, b'x' * size)
m = mmap.mmap(f, size)
for page in range(0, size, 4096): m[page:page + 3] = b'abc'
${utime}
assert times('mapped')[0] == SET, times('mapped')
${ending}
assert times('mapped')[0] == SET, times('mapped')
assert times(SECOND + '/mapped')[0] == SET, times(SECOND + '/mapped')
assert open(SECOND + '/mapped', 'rb').read() == (b'abc' + b'x' * 4093) * 64
os.unlink('mapped')
`));
    }
  }

  it('are new after a store through a mapping that comes after they were set', () =>
    holds(`
f = os.open('stored-later', os.O_CREAT | os.O_RDWR)
os.write(f, b'x' * 8192)
m = mmap.mmap(f, 8192)
m[0:3] = b'abc'
os.utime(f, ns=(SET, SET))
before = now()
m[0:3] = b'def'
m.flush()
assert times('stored-later')[0] + 2_000_000 >= before, times('stored-later')
assert open(SECOND + '/stored-later', 'rb').read(3) == b'def'
`));

  it('can be set while other threads store through a mapping and another mount changes names beside it', () =>
    holds(`
import threading
os.makedirs('busy', exist_ok=True)
f = os.open('busy/file', os.O_CREAT | os.O_RDWR)
size = 256 * 4096
os.ftruncate(f, size)
m = mmap.mmap(f, size)
done = False
def store():
    n = 0
    while not done:
        n += 1
        for page in range(0, size, 4096): m[page:page + 8] = n.to_bytes(8, 'big')
def names(where):
    for n in range(60):
        os.close(os.open(f'{where}/busy/{n}', os.O_CREAT | os.O_WRONLY))
        os.rename(f'{where}/busy/{n}', f'{where}/busy/other-{n}')
        os.unlink(f'{where}/busy/other-{n}')
def relink():
    for n in range(60):
        os.link('busy/file', 'busy/linked')
        os.unlink('busy/linked')
threads = [threading.Thread(target=names, args=(SECOND,)), threading.Thread(target=relink)]
storing = threading.Thread(target=store)
for thread in [storing, *threads]: thread.start()
for n in range(60): os.utime('busy/file', ns=(SET, SET))
for thread in threads: thread.join()
done = True
storing.join()
os.utime('busy/file', ns=(SET, SET))
m.close()
os.close(f)
assert times('busy/file')[0] == SET, times('busy/file')
`));
});
