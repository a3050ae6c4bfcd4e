// XML-RPC as it is tabled in the design, asked by Python's own client.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { Cluster, run } from '../support/cluster.js';
import { requireFuse } from '../support/require-fuse.js';

const PRELUDE = `
import json, sys, time, xmlrpc.client
mediator, meta, *data = [xmlrpc.client.ServerProxy('http://' + address, allow_none=True) for address in sys.argv[1:]]
def fault(call):
    try: call()
    except xmlrpc.client.Fault as fault: return fault.faultString
    raise SystemExit('there was no fault')
def wait(condition):
    for _ in range(400):
        if condition(): return
        time.sleep(0.05)
    raise SystemExit('waited in vain')
def state(name): return [s['state'] for s in mediator.status()['dataservers'] if s['name'] == name][0]
`;

describe('XML-RPC', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let addresses: string[];

  before(async function () {
    requireFuse(this);
    if ((await run('python3', ['--version'], '/')).status !== 0) {
      if (process.env.CI === 'true') throw new Error('CI has no python3, and must run every test');
      process.stdout.write('skipped: there is no python3\n');
      // Python's client is what is tested against; never skipped in CI.
      this.skip();
    }
    cluster = await Cluster.start({ servers: 3 });
    const status = await cluster.status();
    addresses = [
      status.mediator.address,
      ...status.metaservers.map(({ address }) => address),
      ...status.dataservers.map(({ address }) => address),
    ];
  });

  after(async () => {
    await cluster?.destroy();
  });

  /** Runs a piece of Python that knows mediator, meta and data[]; answers what it printed, as JSON. */
  async function python(code: string): Promise<unknown> {
    const { status, stdout, stderr } = await run('python3', ['-c', `${PRELUDE}\n${code}`, ...addresses], '/');
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout);
  }

  it('the mediator stores and finds files by path', async () => {
    const seen = await python(`
mediator.put(xmlrpc.client.Binary(b'/a.txt&&data'), xmlrpc.client.Binary(b'from python\\n'))
mediator.put('/a.txt&&meta', {'mode': 0o600})
print(json.dumps([mediator.get('/a.txt&&data').data.decode(), mediator.get('/a.txt&&meta')['mode'], mediator.get('/&&list_nodes')]))`);
    assert.deepEqual(seen, ['from python\n', 0o600, ['a.txt']]);
    const shown = await cluster.shell('cat a.txt; stat -c %a a.txt');
    assert.equal(shown.stdout, 'from python\n600\n');
  });

  it('a data server lists, corrupts and answers; the vote heals it', async () => {
    const seen = (await python(`
rows = data[0].list_contents()
key, version, length, hash, modified = rows[0]
before = data[0].get(key).data.decode()
data[0].corrupt(key)
corrupted = data[0].get(key).data.decode()
read = mediator.get('/a.txt&&data').data.decode()
wait(lambda: data[0].get(key).data.decode() == before)
print(json.dumps([len(rows), version > 0, length, len(hash), type(modified).__name__, before, corrupted, read, data[0].ping() is not None]))`)) as unknown[];
    assert.deepEqual(seen, [
      1,
      true,
      12,
      16,
      'DateTime',
      'from python\n',
      'This is a corrupted data1',
      'from python\n',
      true,
    ]);
  });

  it('a data server takes a value under a key', async () => {
    const seen = await python(`
data[1].put('900/0/77', xmlrpc.client.Binary(b'by hand'))
print(json.dumps(data[1].get('900/0').data.decode()))`);
    assert.equal(seen, 'by hand');
  });

  it('the metaserver answers by path', async () => {
    const seen = await python(`
print(json.dumps([[row['name'] for row in meta.list('/')], meta.get('/a.txt')['size'], meta.ping() is not None, type(meta.status()).__name__]))`);
    assert.deepEqual(seen, [['a.txt'], 12, true, 'dict']);
  });

  it('the mediator locates, corrupts, lists, terminates, restarts and scrubs', async () => {
    const seen = await python(`
located = mediator.locate('/a.txt')[0]['servers']
mediator.corrupt('/a.txt', 'data2')
divided = mediator.locate('/a.txt')[0]['servers']
mediator.scrub()
wait(lambda: len(mediator.locate('/a.txt')[0]['servers']) == 3)
rows = mediator.list_contents('data3')
mediator.terminate('data3')
wait(lambda: state('data3') == 'down')
down = fault(lambda: mediator.list_contents('data3'))
mediator.restart('data3')
wait(lambda: state('data3') == 'up')
print(json.dumps([located, divided, rows[0][0], 'down' in down, mediator.status()['readable']]))`);
    assert.deepEqual(seen, [['data1', 'data2', 'data3'], ['data1', 'data3'], '/a.txt&&data/0', true, true]);
  });

  it('mistakes are answered by faults that say what is wrong', async () => {
    const faults = (await python(`
print(json.dumps([
  fault(lambda: mediator.get('/none&&data')), fault(lambda: mediator.get('/a.txt')), fault(lambda: mediator.terminate('data9')),
  fault(lambda: data[0].get('no key')), fault(lambda: data[0].corrupt('5/5/5')), fault(lambda: meta.get('/none')), fault(lambda: meta.nothing())]))`)) as string[];
    const expected = [/ENOENT/, /PATH&&data/, /data9/, /./, /./, /ENOENT/, /nothing/];
    for (const [position, pattern] of expected.entries()) assert.match(faults[position] ?? '', pattern);
  });
});
