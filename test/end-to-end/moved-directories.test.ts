// A program's working directory that another mount renames: getcwd follows it.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { run } from '../support/cluster.js';
import { requireFuse } from '../support/require-fuse.js';
import { SecondMount } from '../support/second-mount.js';

const PRELUDE = `
import os, time
def seen():
    try: return os.getcwd().removeprefix(HERE)
    except OSError as error: return error.strerror
def wait_for(expected):
    # Shorter than the kernel believes names by itself.
    deadline = time.monotonic() + 20
    while seen() != expected and time.monotonic() < deadline: time.sleep(0.005)
    assert seen() == expected, (seen(), expected)
`;

describe('a working directory that another mount renames', function () {
  this.timeout(120_000);
  let mounts: SecondMount | undefined;

  before(async function () {
    requireFuse(this);
    mounts = await SecondMount.start({ attributeTimeoutMs: 60_000 });
  });

  after(() => mounts?.destroy());

  /** Runs a program, whose assertions say what is expected; HERE and THERE are the two mounts, in both orders. */
  async function holds(program: string): Promise<void> {
    assert.ok(mounts !== undefined);
    const { cluster, folder } = mounts;
    for (const [here, there] of [
      [cluster.mountPoint, folder],
      [folder, cluster.mountPoint],
    ]) {
      const text = `HERE = ${JSON.stringify(here)}\nTHERE = ${JSON.stringify(there)}\n${PRELUDE}${program}`;
      const { status, stderr } = await run('timeout', ['-k', '5', '50', 'python3', '-c', text], '/');
      assert.equal(status, 0, stderr);
    }
  }

  it('has its new name, and is still the same directory', () =>
    holds(`
os.makedirs(HERE + '/p/old/in')
os.chdir(HERE + '/p/old')
assert seen() == '/p/old'
os.rename(THERE + '/p/old', THERE + '/p/new')
wait_for('/p/new')
os.mkdir('made')
assert sorted(os.listdir(THERE + '/p/new')) == ['in', 'made']
os.chdir('in')
assert seen() == '/p/new/in'
os.chdir('../made')
os.chdir('/')
os.system(f'rm -r {THERE}/p')
`));

  it('is found in another directory, below one that is renamed, and after many renames', () =>
    holds(`
os.makedirs(HERE + '/a/b/c')
os.makedirs(HERE + '/other')
os.chdir(HERE + '/a/b/c')
os.rename(THERE + '/a/b/c', THERE + '/other/c')
wait_for('/other/c')
os.rename(THERE + '/other', THERE + '/another')
wait_for('/another/c')
os.rename(THERE + '/another', THERE + '/a/b/inner')
wait_for('/a/b/inner/c')
for n in range(30): os.rename(THERE + f'/a/b/inner/{"c" if n == 0 else n}', THERE + f'/a/b/inner/{n + 1}')
wait_for('/a/b/inner/30')
os.rename(THERE + '/a/b', THERE + '/caf\u00e9 b')
wait_for('/caf\u00e9 b/inner/30')
os.chdir('/')
os.system(f'rm -r {THERE}/a {THERE}/caf*')
`));

  it('has the other name after an exchange', () =>
    holds(`
import ctypes
os.makedirs(HERE + '/one/x')
os.makedirs(HERE + '/two/y')
os.chdir(HERE + '/two')
libc = ctypes.CDLL(None, use_errno=True)
assert libc.renameat2(-100, (THERE + '/one').encode(), -100, (THERE + '/two').encode(), 2) == 0
wait_for('/one')
assert os.listdir('.') == ['y']
os.chdir('/')
os.system(f'rm -r {THERE}/one {THERE}/two')
`));

  it('is gone when it is removed there', () =>
    holds(`
os.makedirs(HERE + '/removed/in')
os.chdir(HERE + '/removed/in')
os.rmdir(THERE + '/removed/in')
wait_for(os.strerror(2))
os.chdir('/')
os.rmdir(THERE + '/removed')
`));
});
