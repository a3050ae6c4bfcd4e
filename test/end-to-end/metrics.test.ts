// GET /metrics of all servers of a real cluster against docs/monitoring.md.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'mocha';
import { loadConfig } from '../../src/cli/config-file.js';
import { Cluster, until } from '../support/cluster.js';
import { documentedMetrics } from '../support/monitoring.js';
import { requirePrograms } from '../support/programs.js';
import { requireFuse } from '../support/require-fuse.js';

describe('the metrics of a cluster', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let addresses: string[] = [];

  before(async function () {
    requireFuse(this);
    cluster = await Cluster.start({ servers: 3, metaservers: 3, mediators: 2 });
    await writeFile(join(cluster.mountPoint, 'a.txt'), 'hello');
    const { mediators, metaservers, dataservers } = await loadConfig(cluster.configFile);
    addresses = [...mediators, ...metaservers, ...dataservers].map(({ address }) => address);
  });

  after(() => cluster?.destroy());

  const metricsOf = async (address: string): Promise<string> => (await fetch(`http://${address}/metrics`)).text();

  async function exposed(): Promise<Map<string, string>> {
    const pages = await Promise.all(addresses.map(metricsOf));
    return new Map(
      pages.flatMap((page) =>
        [...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]),
      ),
    );
  }

  it('are those that docs/monitoring.md has, with their types', async () => {
    assert.deepEqual([...(await exposed())].sort(), [...(await documentedMetrics())].sort());
  });

  it('are in order for promtool', async function () {
    requirePrograms(this, 'promtool');
    for (const address of addresses) {
      const metrics = await metricsOf(address);
      const promtool = spawn('promtool', ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] });
      const ended = new Promise<number | null>((resolve) => promtool.once('close', resolve));
      promtool.stdin.end(metrics);
      const [said, complaints] = await Promise.all([text(promtool.stdout), text(promtool.stderr)]);
      assert.equal(await ended, 0, `${address}: ${said}${complaints}`);
    }
  });

  it('tell of a data server that is lost, and of writes that stop', async () => {
    const value = async (line: string): Promise<string | undefined> => {
      const pages = (await Promise.all(addresses.slice(0, 2).map(metricsOf))).join('\n');
      return pages
        .split('\n')
        .find((each) => each.startsWith(`${line} `))
        ?.split(' ')[1];
    };
    assert.equal(await value('nmrfs_writable'), '1');
    assert.equal(await value('nmrfs_data_server_up{server="data2"}'), '1');
    assert.ok(Number(await value('nmrfs_data_server_free_bytes{server="data2"}')) > 0);
    await cluster.terminate('data2');
    await until('the loss', async () => (await value('nmrfs_data_server_up{server="data2"}')) === '0');
    assert.equal(await value('nmrfs_writable'), '0');
    assert.equal(await value('nmrfs_readable'), '1');
  });
});
