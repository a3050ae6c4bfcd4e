// The lint step's rules on which folder of src may import which.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';

/** From dist/test/unit. */
const PROGRAM = fileURLToPath(new URL('../../../tools/lint/check-layers.mjs', import.meta.url));
const { faultsOf } = (await import(PROGRAM)) as { faultsOf: (path: string, text: string) => string[] };

const importing = (imported: string) => `import type { Anything } from '${imported}';\n`;

/** What the program says of a source folder with one file that imports one thing. */
async function check(file: string, imported: string): Promise<{ status: number | null; stderr: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'nmrfs-layers-'));
  try {
    await mkdir(join(folder, dirname(file)), { recursive: true });
    await writeFile(join(folder, file), importing(imported));
    return spawnSync(process.execPath, [PROGRAM, folder], { encoding: 'utf8' });
  } finally {
    await rm(folder, { recursive: true });
  }
}

const REFUSED: [file: string, imported: string, why: RegExp][] = [
  ['mediator/replicas/replica.ts', '../voting/vote.js', /src\/mediator\/voting is above src\/mediator\/replicas/],
  ['mediator/writing/file-writer.ts', '../upkeep/repair.js', /src\/mediator\/upkeep is beside src\/mediator\/writing/],
  ['dataserver/log/segments.ts', '../store.js', /src\/dataserver is above src\/dataserver\/log/],
  ['protocol/services/blocks.ts', '../wire/codec.js', /src\/protocol\/wire is above src\/protocol\/services/],
  ['mediator/files/files.ts', '../../metaserver/metaserver.js', /src\/metaserver is beside src\/mediator/],
  [
    'fuse-client/cache/read-cache.ts',
    '../inodes/known-inodes.js',
    /src\/fuse-client\/inodes is above src\/fuse-client\/cache/,
  ],
  [
    'fuse-client/kernel/codec/replies.ts',
    '../session.js',
    /src\/fuse-client\/kernel is above src\/fuse-client\/kernel\/codec/,
  ],
  [
    'replication/core/viewstamped/viewstamped.ts',
    '../raft/raft.js',
    /src\/replication\/core\/raft is beside src\/replication\/core\/viewstamped/,
  ],
  ['protocol/errors.ts', '../config.js', /src\/config is above src\/protocol/],
  ['metaserver/executor.ts', '../runtime/node/clock.js', /Adapters are for main\.ts/],
  ['dataserver/store.ts', 'node:fs', /The disk is passed in/],
];

const ALLOWED: [file: string, imported: string][] = [
  ['mediator/voting/vote.ts', '../replicas/replica.js'],
  ['mediator/files/files.ts', '../../protocol/services/files.js'],
  ['metaserver/main.ts', '../runtime/node/clock.js'],
  ['fuse-client/kernel/device/device.ts', 'node:fs'],
  ['cli/serve.ts', '../mediator/main.js'],
];

describe('layers', () => {
  for (const [file, imported, why] of REFUSED) {
    it(`refuse ${imported} in ${file}`, () => assert.match(faultsOf(file, importing(imported)).join('\n'), why));
  }

  for (const [file, imported] of ALLOWED) {
    it(`allow ${imported} in ${file}`, () => assert.deepEqual(faultsOf(file, importing(imported)), []));
  }

  it('are checked by a program that names each fault and fails', async () => {
    const { status, stderr } = await check('protocol/errors.ts', '../config.js');
    assert.equal(stderr, 'src/protocol/errors.ts imports src/config.js: src/config is above src/protocol\n');
    assert.equal(status, 1);
    assert.equal((await check('cli/serve.ts', '../mediator/main.js')).status, 0);
  });
});
