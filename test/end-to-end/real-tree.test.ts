// A real tree of thousands of files: this project's own node_modules, copied
// in, compared byte for byte and attribute for attribute, while servers go
// and come back blank.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';
import { run } from '../support/cluster.js';
import { oneCluster } from '../support/one-cluster.js';

const MINIMUM_FILES = 5000;
const MINIMUM_BYTES = 100_000_000;
/** One file there is half of the tree. */
const LEFT_OUT = '@biomejs';
const TREE_TIMEOUT_MS = 300_000;

/** The folder above dist or .build/NAME that has a node_modules. */
const SOURCE = fileURLToPath(import.meta.resolve('typescript/package.json')).replace(
  /\/typescript\/package\.json$/,
  '',
);

describe('a real tree', function () {
  this.timeout(600_000);
  const place = oneCluster({ servers: 5, readQuorum: 3 });

  /** Type, mode, owner, size and mtime of every entry, sorted. */
  async function attributesOf(folder: string): Promise<string> {
    const outcome = await run(
      'bash',
      [
        '--norc',
        '-c',
        `find . -mindepth 1 -path ./${LEFT_OUT} -prune -o ! -type d -printf "%P %y %m %U %G %s %T@ %l\\n" -o -printf "%P %y %m %U %G %T@\\n" | LC_ALL=C sort`,
      ],
      folder,
    );
    assert.equal(outcome.status, 0, outcome.stderr);
    return outcome.stdout;
  }

  async function mustBeEqual(): Promise<void> {
    const compared = await run(
      'timeout',
      ['300', 'diff', '-r', '--no-dereference', '-x', LEFT_OUT, SOURCE, `${place.cluster.mountPoint}/tree`],
      '/',
      TREE_TIMEOUT_MS,
    );
    assert.equal(compared.status, 0, (compared.stdout + compared.stderr).slice(0, 2000));
    assert.equal(await attributesOf(`${place.cluster.mountPoint}/tree`), await attributesOf(SOURCE));
  }

  it(`has at least ${MINIMUM_FILES} files and ${MINIMUM_BYTES} bytes`, async () => {
    const counted = await run(
      'bash',
      [
        '--norc',
        '-c',
        `find . -path ./${LEFT_OUT} -prune -o -type f -printf "%s\\n" | awk "{n++; s+=\\$1} END {print n, s}"`,
      ],
      SOURCE,
    );
    const [files = 0, bytes = 0] = counted.stdout.split(' ').map(Number);
    assert.ok(files >= MINIMUM_FILES && bytes >= MINIMUM_BYTES, `${files} files, ${bytes} bytes`);
  });

  it('is copied in by cp -a', async () => {
    const tree = `${place.cluster.mountPoint}/tree`;
    const copy = `mkdir '${tree}' && find . -mindepth 1 -maxdepth 1 ! -name ${LEFT_OUT} -exec cp -a -t '${tree}' {} +`;
    const copied = await run('timeout', ['300', 'bash', '--norc', '-c', copy], SOURCE, TREE_TIMEOUT_MS);
    assert.equal(copied.status, 0, copied.stderr);
  });

  // With all servers up: see test/end-to-end/programs/copies.test.ts.
  it('is the same with two servers down', async () => {
    await place.cluster.terminate('data1', 'data2');
    await mustBeEqual();
  });

  it('is the same when one of them was rebuilt from nothing and two others are down', async () => {
    await place.cluster.restart('data1', { blank: true });
    await place.cluster.untilState('up', 'data1');
    await place.cluster.terminate('data3', 'data4');
    // data2 comes back too: with data1 and data5 that makes the three that agree.
    await place.cluster.restart('data2');
    await place.cluster.untilState('up', 'data2');
    await mustBeEqual();
  });
});
