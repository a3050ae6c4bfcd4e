// tar and rsync: every kind of file with every attribute there and back.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { succeed, Workplace } from '../../support/programs.js';

const SOURCE = `
mkdir -p source/a/b source/empty
for i in $(seq 40); do head -c $((i * 3001)) /dev/urandom > source/a/f$i; done
printf x > "source/a/na me
two lines"
printf y > $'source/a/not\\xffutf8'
: > source/a/nothing
truncate -s 3M source/sparse
printf end >> source/sparse
ln source/a/f2 source/a/b/hard
ln -s ../a/f1 source/a/b/link
ln -s nowhere source/dangling
mkfifo source/pipe
chmod 4751 source/a/f3
chmod 1777 source/empty
chown 123:456 source/a/f4
chown -h 7:8 source/dangling
find source -depth -print0 | while IFS= read -r -d '' name; do
  n=$((n + 1))
  touch -h -d "2001-02-03 04:05:06.$((100000000 + n * 7919))" "$name"
done
touch -d '1969-05-05 05:05:05.123456789' source/a/f5
touch -d '2199-05-05 05:05:05.987654321' source/a/f6
`;

/** Everything that can be seen of a tree, its content included. */
const SEEN = `
find . -type d -printf '%P %y %m %U %G %T@\\n' -o -printf '%P %y %m %U %G %s %T@ %n %l\\n' | LC_ALL=C sort
find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
`;

/** Times exact to the nanosecond; hard links, numeric owners, extended attributes; what differs is printed. */
const RSYNC = 'rsync -aHX --numeric-ids --modify-window=-1 --itemize-changes';

describe('tar and rsync', function () {
  this.timeout(180_000);
  let place: Workplace;

  before(async function () {
    place = await Workplace.open(this, ['tar', 'rsync', 'setfattr'], { servers: 3, readQuorum: 2 });
    await succeed(SOURCE, place.plain);
  });

  after(async () => {
    await place?.close();
  });

  async function mustEqualSource(folder: string): Promise<void> {
    assert.equal(await succeed(SEEN, folder), await succeed(SEEN, `${place.plain}/source`));
  }

  it('tar brings every file and attribute in, and its own comparison finds no difference', async () => {
    await succeed(`tar -C source --format=posix -cf ${place.mounted}/all.tar .`, place.plain);
    await succeed('mkdir untarred; tar -C untarred -xpf all.tar 2> warnings', place.mounted);
    assert.equal(await succeed('tar -C untarred --compare -f all.tar', place.mounted), '');
    await mustEqualSource(`${place.mounted}/untarred`);
  });

  it('tar brings everything back out of the mount', async () => {
    await succeed(
      `mkdir back; tar -C ${place.mounted}/untarred --format=posix -cf - . | tar -C back -xpf - 2> warnings`,
      place.plain,
    );
    await mustEqualSource(`${place.plain}/back`);
  });

  it('rsync copies everything once, and nothing the second time', async () => {
    const copy = `${RSYNC} source/ ${place.mounted}/copy/`;
    assert.match(await succeed(copy, place.plain), /f40$/m);
    assert.equal(await succeed(copy, place.plain), '');
    assert.equal(await succeed(`${copy} --checksum`, place.plain), '');
    await mustEqualSource(`${place.mounted}/copy`);
  });

  it('rsync copies extended attributes within the mount, and nothing the second time', async () => {
    await succeed(`setfattr -n user.word -v one a/f7; setfattr -n user.word -v two a`, `${place.mounted}/copy`);
    assert.match(await succeed(`${RSYNC} copy/ second/`, place.mounted), /f40$/m);
    assert.equal(await succeed(`${RSYNC} copy/ second/`, place.mounted), '');
    assert.equal(await succeed('getfattr --only-values -n user.word a a/f7', `${place.mounted}/second`), 'twoone');
    await mustEqualSource(`${place.mounted}/second`);
  });

  it('rsync transfers only what has changed, deletes files and attributes that are gone, and changes files in place', async () => {
    await succeed('printf more >> a/f8; rm a/f9; mv a/f10 a/f11; chmod 600 a/f12', `${place.plain}/source`);
    const changes = await succeed(
      `${RSYNC} --delete --inplace --no-whole-file source/ ${place.mounted}/copy/`,
      place.plain,
    );
    const itemized = changes.split('\n').filter((line) => !/^\.d|^$/.test(line));
    assert.deepEqual(itemized.map((line) => line.split(' ').at(-1)).sort(), [
      'a/f10',
      'a/f11',
      'a/f12',
      'a/f7',
      'a/f8',
      'a/f9',
    ]);
    await mustEqualSource(`${place.mounted}/copy`);
  });
});
