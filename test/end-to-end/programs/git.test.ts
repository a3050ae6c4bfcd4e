// git: thousands of small files that are created exclusively, renamed, linked,
// mapped and deleted, and a program that checks every byte of them.
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { until } from '../../support/cluster.js';
import { succeed, Workplace } from '../../support/programs.js';

/** The same names, dates and settings everywhere: commits then have the same hashes. */
const SETTINGS = `
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example GIT_AUTHOR_DATE=1700000000+0000
export GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example GIT_COMMITTER_DATE=1700000000+0000
`;

const ORIGIN = `${SETTINGS}
git init -q -b main origin
cd origin
for d in $(seq 5); do
  mkdir dir$d
  for f in $(seq 6); do seq $((d * f * 100)) > dir$d/file$f.txt; done
done
ln -s dir1/file1.txt link
chmod +x dir1/file2.txt
git add -A
git commit -qm first
for c in $(seq 3); do
  echo $c >> dir$c/file1.txt
  git mv dir$c/file3.txt dir$c/moved$c.txt
  git commit -qam "change $c"
done
git rev-parse HEAD
`;

const CLONE = `${SETTINGS}
git clone -q --no-hardlinks origin clone
cd clone
git checkout -q -b side HEAD~2
echo side > side.txt
sed -i 1d dir4/file5.txt
git add -A
git commit -qm side
git checkout -q main
echo main >> dir5/file6.txt
git commit -qam main
git merge -q --no-edit side
git rm -q -r dir2
git commit -qm removed
git revert --no-edit HEAD > /dev/null
echo stashed >> side.txt
git stash -q
git stash pop -q
git checkout -q side.txt
git push -q origin main:pushed side
git worktree add -q ../tree side
`;

const CHECK = `${SETTINGS}
for d in origin clone tree; do
  cd $d
  git fsck --full --strict --no-progress --no-dangling
  git status --porcelain
  git log --all --format='%H %T %s' | sort
  cd ..
done
`;

describe('git', function () {
  this.timeout(240_000);
  let place: Workplace;

  before(async function () {
    place = await Workplace.open(this, ['git'], {
      servers: 5,
      readQuorum: 3,
      extraConfig: 'onWriteQuorumLost: block',
    });
  });

  after(async () => {
    await place?.close();
  });

  async function mustBeSound(): Promise<void> {
    const printed = await place.inBoth(CHECK);
    assert.match(printed, / removed$/m);
    for (const tree of ['origin', 'clone', 'tree']) await place.mustBeEqual(tree, '.git');
  }

  it('commits, clones, branches, merges, reverts and pushes as in a plain directory', async () => {
    await place.inBoth(ORIGIN);
    await place.inBoth(CLONE);
    await mustBeSound();
  });

  it('packs everything and finds every object sound', async () => {
    await place.inBoth(`${SETTINGS} cd clone; git gc -q --prune=now; git count-objects -v | grep -v ^size`);
    await mustBeSound();
  });

  it('comes to the same result while a data server is killed and the objects on another one are corrupted', async () => {
    const { cluster, mounted } = place;
    await succeed('rm -rf origin clone tree', mounted);
    await succeed(ORIGIN, mounted);
    const running = succeed(`${CLONE} git gc -q --prune=now`, mounted);
    await until('the clone', () => exists(join(mounted, 'clone/side.txt')));
    process.kill(await cluster.pidOf('data2'), 'SIGKILL');
    for (const file of ['dir1/file1.txt', '.git/config', '.git/index']) {
      await cluster.must('corrupt', `/origin/${file}`, '--on', 'data4');
    }
    await running;
    await cluster.untilState('up');
    await mustBeSound();
  });
});

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
