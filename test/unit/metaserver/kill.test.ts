// A real process, a real disk, SIGKILL at any moment: what was promised is
// there, and the rest is a prefix.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';
import { Engine } from '../../../src/metaserver/engine/engine.js';
import type { Storage } from '../../../src/metaserver/engine/storage.js';
import { groupEngine } from '../../../src/metaserver/storage/group-engine.js';
import { lmdbEngine } from '../../../src/metaserver/storage/lmdb-engine.js';
import { Tables } from '../../../src/namespace/state/tables.js';
import { nodeDisk } from '../../../src/runtime/node/disk.js';
import { checkConsistency } from './consistency.js';
import { ROOT, TestMetaserver, TestRuntime } from './harness.js';

const PROGRAM = fileURLToPath(new URL('./killed-process.js', import.meta.url));
const ROUNDS = 3;

describe('a metaserver that is killed', () => {
  it('has everything that it promised, and no hole before the last command it kept', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'nmrfs-killed-'));
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const store = join(directory, `store${round}`);
        const promised = await runAndKill(store, 500 + 700 * round);
        const engine = new Engine(await engineOf(store));
        checkConsistency(new Tables(engine));
        await engine.close();
        const meta = await TestMetaserver.open(() => engineOf(store));
        const names = await meta.names(ROOT);
        assert.ok(names.length > promised, `${promised} was promised, ${names.length} are there`);
        assert.ok(names.every((name, n) => name === `name${n}`));
        await meta.close();
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

function engineOf(directory: string): Promise<Storage> {
  return groupEngine(lmdbEngine)(directory, { ...new TestRuntime(), disk: nodeDisk });
}

/** Lets the process run until it has promised `least`, kills it, and answers the last number that it promised. */
async function runAndKill(directory: string, least: number): Promise<number> {
  const child = spawn(process.execPath, [PROGRAM, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (lastPromise(text) >= least) child.kill('SIGKILL');
  });
  await once(child, 'close');
  assert.equal(child.signalCode, 'SIGKILL');
  return lastPromise(text);
}

function lastPromise(text: string): number {
  const lines = text.split('\n');
  // What stands after the last line break may be cut.
  return Number(lines.at(-2) ?? -1);
}
