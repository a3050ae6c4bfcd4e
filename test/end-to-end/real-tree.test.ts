// A real tree of thousands of files: this project's own node_modules, copied
// in, compared byte for byte and attribute for attribute, while servers go
// and come back blank.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';
import { run } from '../support/cluster.js';
import { oneCluster } from '../support/one-cluster.js';

const MINIMUM_FILES = 2500;
const MINIMUM_BYTES = 20_000_000;
/** Half of the packages, without one of a thousand files that are like those of the others: more show nothing more. */
const CHOSEN = /^(?!puppeteer)[m-z]/;
const TREE_TIMEOUT_MS = 300_000;

/** The folder above dist or .build/NAME that has a node_modules. */
const SOURCE = fileURLToPath(import.meta.resolve('typescript/package.json')).replace(
  /\/typescript\/package\.json$/,
  '',
);

describe('a real tree', function () {
  this.timeout(600_000);
  const place = oneCluster({ servers: 5, readQuorum: 3 });

  /** Runs a line of bash, to which the packages are given as "$@", and answers what it printed. */
  async function inBash(line: string, folder: string): Promise<string> {
    const packages = (await readdir(SOURCE)).filter((name) => CHOSEN.test(name));
    const parameters = ['-k', '5', '300', 'bash', '--norc', '-c', line, 'bash', ...packages];
    const outcome = await run('timeout', parameters, folder, TREE_TIMEOUT_MS);
    assert.equal(outcome.status, 0, (outcome.stdout + outcome.stderr).slice(0, 2000));
    return outcome.stdout;
  }

  /** Type, mode, owner, size and mtime of every entry, sorted. */
  function attributesOf(folder: string): Promise<string> {
    const printed = '! -type d -printf "%p %y %m %U %G %s %T@ %l\\n" -o -printf "%p %y %m %U %G %T@\\n"';
    return inBash(`find "$@" ${printed} | LC_ALL=C sort`, folder);
  }

  async function mustBeEqual(): Promise<void> {
    const tree = `${place.cluster.mountPoint}/tree`;
    await inBash(`for name; do diff -r --no-dereference "$name" '${tree}'/"$name" || exit; done`, SOURCE);
    assert.equal(await attributesOf(tree), await attributesOf(SOURCE));
  }

  it(`has at least ${MINIMUM_FILES} files and ${MINIMUM_BYTES} bytes`, async () => {
    const counted = await inBash('find "$@" -type f -printf "%s\\n" | awk "{n++; s+=\\$1} END {print n, s}"', SOURCE);
    const [files = 0, bytes = 0] = counted.split(' ').map(Number);
    assert.ok(files >= MINIMUM_FILES && bytes >= MINIMUM_BYTES, `${files} files, ${bytes} bytes`);
  });

  it('is copied in by cp -a', async () => {
    const tree = `${place.cluster.mountPoint}/tree`;
    await inBash(`mkdir '${tree}' && cp -a -t '${tree}' "$@"`, SOURCE);
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
