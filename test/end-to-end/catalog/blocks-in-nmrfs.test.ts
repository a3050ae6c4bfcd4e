// A client of SurfStore whose blocks lie in an nmrfs: real catalog, real cluster, Python's xmlrpc.client.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { CatalogProcesses } from '../../support/catalog-processes.js';
import { Cluster, run } from '../../support/cluster.js';
import { requireFuse } from '../../support/require-fuse.js';

/** Files in blocks of 4 KiB, as the client of the course has them: their list at the catalog's leader, the blocks at any server. */
const CLIENT = `
import hashlib, json, sys, xmlrpc.client
servers = [xmlrpc.client.ServerProxy('http://' + address) for address in sys.argv[2:]]
leader = [server for server in servers if server.surfstore.isleader()][0]
content = b''.join(b'line %d of a file that has some blocks\\n' % n for n in range(500))
blocks = [content[at:at + 4096] for at in range(0, len(content), 4096)]
hashes = [hashlib.sha256(block).hexdigest() for block in blocks]
def upload():
    present = servers[0].surfstore.hasblocks(hashes)
    for block, hash in zip(blocks, hashes):
        if hash not in present: assert servers[1].surfstore.putblock(xmlrpc.client.Binary(block))
    version = leader.surfstore.getfileinfomap().get('file.txt', [0])[0]
    assert leader.surfstore.updatefile('file.txt', version + 1, hashes)
    return len(present)
def download():
    version, found = leader.surfstore.getfileinfomap()['file.txt']
    assert b''.join(servers[2].surfstore.getblock(hash).data for hash in found) == content
    return version
print(json.dumps({'result': {'upload': upload, 'download': download}[sys.argv[1]](), 'hashes': hashes}))
`;

describe('the catalog with its blocks in an nmrfs', function () {
  this.timeout(120_000);
  let cluster: Cluster | undefined;
  let catalog: CatalogProcesses | undefined;

  before(async function () {
    requireFuse(this);
    cluster = await Cluster.start({ servers: 3 });
    const { mediator } = await cluster.status();
    catalog = await CatalogProcesses.start(3, ['logLevel: warn', `blocks: "${mediator.address}"`]);
  });

  after(async () => {
    await catalog?.remove();
    await cluster?.destroy();
  });

  async function client(action: 'upload' | 'download'): Promise<{ result: number; hashes: string[] }> {
    assert(catalog !== undefined);
    const { status, stdout, stderr } = await run(
      'python3',
      ['-c', CLIENT, action, ...catalog.addresses.split(',')],
      '/',
    );
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout) as { result: number; hashes: string[] };
  }

  it('keeps a file of SurfStore as voted blocks, which survive a corrupt replica, and then a data server that is gone', async () => {
    assert(cluster !== undefined);
    const { result, hashes } = await client('upload');
    assert.equal(result, 0, 'none of the blocks was there');
    assert.equal((await client('download')).result, 1);
    // Each is a file, whose name is its hash, for everybody who mounts it.
    const { stdout } = await cluster.shell('cd catalog-blocks && sha256sum *');
    const found = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/));
    assert.deepEqual(found.map(([hash]) => hash).sort(), [...hashes].sort());
    for (const [hash, name] of found) assert.equal(hash, name);

    await cluster.must('corrupt', `/catalog-blocks/${hashes[0]}`, '--on', 'data1');
    assert.equal((await client('download')).result, 1);
    // Two good replicas are needed to read.
    await cluster.must('scrub');
    await cluster.must('terminate', 'data3');
    assert.equal((await client('upload')).result, hashes.length, 'all of them are there');
    assert.equal((await client('download')).result, 2);
  });
});
