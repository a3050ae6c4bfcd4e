// nmrfs status --watch and nmrfs votes --explain beside a cluster to which things happen.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'mocha';
import { Cluster, until } from '../support/cluster.js';
import { requireFuse } from '../support/require-fuse.js';

const COMMAND = fileURLToPath(new URL('../../bundle/cli/main.js', import.meta.url));

describe('watching and explaining', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let watching: ChildProcess;
  let seen = '';
  const untilSeen = (what: RegExp) => until(`${what} in what is watched: ${seen}`, async () => what.test(seen));

  before(async function () {
    requireFuse(this);
    cluster = await Cluster.start({
      servers: 5,
      prepare: async (folder) => {
        const parameters = ['status', '--watch', '--interval', '0.1', '--config', join(folder, 'nmrfs.yaml')];
        watching = spawn(process.execPath, [COMMAND, ...parameters], { stdio: ['ignore', 'pipe', 'inherit'] });
        watching.stdout?.on('data', (chunk) => {
          seen += String(chunk);
        });
        await untilSeen(/Since .*no mediator answers/);
      },
    });
  });

  after(async () => {
    watching?.kill('SIGKILL');
    await cluster?.destroy();
  });

  it('begins while the mediator is away, and shows the cluster once it is there', async () => {
    await untilSeen(/readable: yes {3}writable: yes/);
  });

  it('says in words what a vote came to', async () => {
    await writeFile(join(cluster.mountPoint, 'a.txt'), 'hello');
    const all = 'Block 0: All five agree and match the witness, so the read is answered. Nothing is to be repaired.\n';
    assert.equal(await cluster.must('votes', '/a.txt', '--explain'), all);
    await cluster.corrupt('/a.txt', 'data1', 'data2');
    const two =
      'Block 0: Three of five agree and match the witness, so the read is answered. ' +
      'data1 and data2 hold other bytes, each its own; a read or a scrub repairs them.\n';
    assert.equal(await cluster.must('votes', '/a.txt', '--explain'), two);
    await cluster.corrupt('/a.txt', 'data3');
    assert.match(
      await cluster.must('votes', '/a.txt', '--explain'),
      /Only two of five match the witness and three must/,
    );
    const [block] = JSON.parse(await cluster.must('votes', '/a.txt', '--explain', '--json')) as [
      { explanation: string },
    ];
    assert.match(block.explanation, /^Only two of five match/);
  });

  it('shows a change as it happens, as a further block', async () => {
    const before = seen.length;
    await cluster.terminate('data3');
    await until('the loss', async () => /data3 .*down/.test(seen.slice(before)));
    assert.match(seen.slice(before), /Now reads survive 1 more bad or missing replica/);
  });

  it('outlives the mediator', async () => {
    const before = seen.length;
    process.kill(await cluster.pidOf('mediator'), 'SIGKILL');
    await until('the outage', async () => /Since .*\n\nBefore that:\n/.test(seen.slice(before)));
    await until('the return', async () =>
      /\nN 5, Qr 3, Qw 5 {3}readable: yes/.test(seen.slice(seen.lastIndexOf('Before that:') + 200)),
    );
  });

  it('ends with Ctrl-C', async () => {
    const ended = new Promise<number | null>((resolve) => watching.once('exit', resolve));
    watching.kill('SIGINT');
    assert.equal(await ended, 0);
  });
});
