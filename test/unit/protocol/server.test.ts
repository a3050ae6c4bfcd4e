// A server on real sockets: all faces on one port, and what happens to its
// callers when its process dies.
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, afterEach, before, describe, it } from 'mocha';
import { type RunningServer, type ServeOptions, serve } from '../../../src/protocol/http/server.js';
import { MAXIMUM_HTTP_BODY_BYTES } from '../../../src/protocol/limits.js';
import { connectRemote, type Remote, type RemoteOptions } from '../../../src/protocol/wire/client.js';
import type { HttpStream } from '../../../src/runtime/network.js';
import { nodeRuntime } from '../../../src/runtime/node/runtime.js';
import { eventually } from '../../support/fake-cluster.js';
import { Lender } from '../../support/lender.js';

interface Test {
  echo(request: object): Promise<Record<string, unknown>>;
  wait(request: object): Promise<object>;
}

const runtime = nodeRuntime({ logLevel: 'error', logName: 'test' });
const SERVER_PROCESS = fileURLToPath(new URL('./server-process.js', import.meta.url));

describe('a server on real sockets', () => {
  let folder = '';
  const remotes: Remote[] = [];
  const servers: RunningServer[] = [];
  const children: ChildProcess[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nmrfs-server-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));
  afterEach(async () => {
    await Promise.all(remotes.splice(0).map((remote) => remote.close()));
    await Promise.all(servers.splice(0).map((server) => server.close()));
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  async function start(more: Partial<ServeOptions> = {}): Promise<RunningServer> {
    const services = { test: { echo: async (body: object) => body, wait: () => new Promise(() => {}) } };
    const server = await serve({ address: '127.0.0.1:0', services, ...more }, runtime);
    servers.push(server);
    return server;
  }

  function remote(options: Pick<RemoteOptions, 'address'> & Partial<RemoteOptions>): Remote {
    const made = connectRemote({ name: 'server', deadlineMs: 10_000, whileDown: 'wait', ...options }, runtime);
    remotes.push(made);
    return made;
  }

  it('sends a reply that goes on as it comes, until either side ends it', async () => {
    let output: HttpStream | undefined;
    let closed = 0;
    const { address } = await start({
      other: async () => ({
        status: 200,
        body: 'first ',
        stream(given) {
          output = given;
          given.onClose(() => closed++);
        },
      }),
    });
    const heard: string[] = [];
    const looking = request(`http://${address}/live`, (reply) => {
      reply.on('data', (chunk) => heard.push(String(chunk)));
      reply.on('error', () => {});
    });
    looking.on('error', () => {});
    looking.end();
    await eventually(async () => heard.join('') === 'first ');
    output?.write(Buffer.from('then'));
    await eventually(async () => heard.join('') === 'first then');
    looking.destroy();
    await eventually(async () => closed === 1);
    output?.write(Buffer.from('nobody hears this'));
  });

  for (const kind of ['TCP', 'Unix']) {
    it(`carries large payloads both ways over ${kind}`, async () => {
      const unixPath = join(folder, `${kind}.sock`);
      const { address } = await start({ unixPath });
      const test = remote(kind === 'TCP' ? { address } : { address: '127.0.0.1:1', unixPath }).service<Test>('test');
      const sizes = [0, 1, 63, 64, 4096, 131_072, 1_048_576, 20_000_000];
      const replies = await Promise.all(
        sizes.map((size) => test.echo({ data: Buffer.alloc(size, size % 251), list: [{ more: Buffer.alloc(size) }] })),
      );
      for (const [index, size] of sizes.entries()) {
        assert.deepStrictEqual(replies[index]?.data, Buffer.alloc(size, size % 251));
      }
    });
  }

  it('gives the memory of replies back when the system has them, and not before', async () => {
    const lender = new Lender();
    const read = async ({ fill }: { fill: number }) => {
      const halves = [Buffer.alloc(1_000_000, fill), Buffer.alloc(300_000, fill)] as const;
      return lender.lend({ pieces: [halves[0], Buffer.alloc(3), halves[1]] }, halves);
    };
    const { address } = await start({ services: { test: { read } } });
    const test = remote({ address }).service<{ read: (request: object) => Promise<{ pieces: Buffer[] }> }>('test');
    const fills = Array.from({ length: 30 }, (_, index) => index + 1);
    const replies = await Promise.all(fills.map((fill) => test.read({ fill })));
    for (const [index, fill] of fills.entries()) {
      const expected = Buffer.concat([Buffer.alloc(1_000_000, fill), Buffer.alloc(3), Buffer.alloc(300_000, fill)]);
      assert.ok(Buffer.concat(replies[index]?.pieces ?? []).equals(expected), `reply ${fill}`);
    }
    await eventually(() => lender.outstanding === 0);
  });

  it('answers XML-RPC, metrics and health on the same port, on TCP and Unix alike', async () => {
    const unixPath = join(folder, 'faces.sock');
    let healthy = true;
    const { address } = await start({
      unixPath,
      xmlRpc: { ping: async () => true },
      metrics: async () => 'nmrfs_up 1\n',
      health: () => (healthy ? { healthy } : { healthy, detail: 'no quorum' }),
    });
    const ping = '<?xml version="1.0"?><methodCall><methodName>ping</methodName></methodCall>';
    for (const at of [address, unixPath]) {
      assert.match((await http(at, 'POST', '/RPC2', ping)).body, /<boolean>1<\/boolean>/);
      const metrics = await http(at, 'GET', '/metrics?x=1');
      assert.deepEqual([metrics.status, metrics.body], [200, 'nmrfs_up 1\n']);
      assert.match(metrics.type, /^text\/plain; version=0\.0\.4/);
      assert.deepEqual(JSON.parse((await http(at, 'GET', '/healthz')).body), { healthy: true });
    }
    healthy = false;
    const sick = await http(address, 'GET', '/healthz');
    assert.deepEqual([sick.status, JSON.parse(sick.body)], [503, { healthy: false, detail: 'no quorum' }]);
  });

  it('refuses by HTTP what it must: 403, 404, 405, 413, 401, 500', async () => {
    const face: Partial<ServeOptions> = {
      xmlRpc: {},
      health: () => ({ healthy: true }),
      metrics: async () => {
        throw new Error('metrics are broken (this test wants it so)');
      },
    };
    const logged: string[] = [];
    const quiet = { ...runtime, log: { ...runtime.log, error: (event: string) => void logged.push(event) } };
    const open = await serve({ address: '127.0.0.1:0', services: {}, ...face }, quiet);
    servers.push(open);
    const closed = await start({ ...face, secret: 'secret' });
    const basic = (password: string) => ({
      authorization: `Basic ${Buffer.from(`me:${password}`).toString('base64')}`,
    });
    const long = MAXIMUM_HTTP_BODY_BYTES + 1;
    const cases: [expected: number, reply: Promise<{ status: number }>][] = [
      [404, http(open.address, 'GET', '/')],
      [404, http(open.address, 'GET', '/__proto__')],
      [405, http(open.address, 'GET', '/RPC2')],
      [405, http(open.address, 'POST', '/healthz')],
      [405, http(open.address, 'DELETE', '/metrics')],
      [413, http(open.address, 'POST', '/RPC2', '', { 'content-length': String(long) })],
      [413, http(open.address, 'POST', '/RPC2', '', { 'content-length': String(long), expect: '100-continue' })],
      [413, http(open.address, 'POST', '/RPC2', Buffer.alloc(long, 'x'), { 'transfer-encoding': 'chunked' })],
      [403, http(open.address, 'POST', '/RPC2', '', { origin: 'http://elsewhere.example' })],
      [403, http(open.address, 'GET', '/healthz', '', { origin: 'null' })],
      [200, http(open.address, 'GET', '/healthz', '', { origin: `http://${open.address}` })],
      [500, http(open.address, 'GET', '/metrics')],
      [200, http(closed.address, 'GET', '/healthz')],
      [401, http(closed.address, 'GET', '/metrics')],
      // Announced and not sent: the refusal does not wait for the body.
      [401, http(closed.address, 'POST', '/RPC2', '', { 'content-length': '1000' })],
      [401, http(closed.address, 'POST', '/RPC2', '', basic('wrong'))],
      [401, http(closed.address, 'POST', '/RPC2', '', { authorization: 'Basic !!' })],
      [200, http(closed.address, 'POST', '/RPC2', '', basic('secret'))],
    ];
    for (const [index, [expected, reply]] of cases.entries())
      assert.equal((await reply).status, expected, `case ${index}`);
    assert.deepEqual(logged, ['http.failed']);
  });

  it('survives whatever arrives on its port', async () => {
    const { address } = await start();
    const port = Number(address.split(':')[1]);
    const upgrade = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ';
    for (const bytes of [
      '\r\n\r\n',
      'GARBAGE\r\n\r\n',
      `${upgrade}websocket\r\n\r\n`,
      `${upgrade}nmrfs\r\n\r\n\xff\xff\xff\xff!`,
    ]) {
      await new Promise<void>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => socket.end(bytes, 'latin1'));
        socket.on('error', () => {}).on('close', () => resolve());
        socket.resume();
      });
    }
    assert.deepEqual(await remote({ address }).service<Test>('test').echo({ a: 1 }), { a: 1 });
  });

  it('tells at once that the process at the other end was killed, and takes it back when it is there again', async () => {
    const first = await startProcess('127.0.0.1:0');
    const server = remote({ address: first.address, whileDown: 'fail' });
    const up = () =>
      new Promise<void>((resolve) => {
        server.onStateChange((state) => {
          if (state === 'up') resolve();
        });
        if (server.state === 'up') resolve();
      });
    await up();
    const test = server.service<Test>('test');
    const waiting = test.wait({});
    assert.deepEqual(await test.echo({ a: 1 }), { a: 1 });
    const killedMs = performance.now();
    first.child.kill('SIGKILL');
    await assert.rejects(waiting, { code: 'OUTCOME_UNKNOWN' });
    assert.ok(performance.now() - killedMs < 5_000, 'long before the deadline');
    assert.equal(server.state, 'down');
    await assert.rejects(test.echo({}), { code: 'UNREACHABLE' });
    await startProcess(first.address);
    await up();
    assert.deepEqual(await test.echo({ a: 2 }), { a: 2 });
  });

  it('takes over the socket file of a server that was killed, but of none that lives', async () => {
    const unixPath = join(folder, 'stale.sock');
    const first = await startProcess('127.0.0.1:0', unixPath);
    await assert.rejects(start({ unixPath }), { code: 'EADDRINUSE' });
    const ended = new Promise((resolve) => first.child.once('exit', resolve));
    first.child.kill('SIGKILL');
    await ended;
    await start({ unixPath });
    assert.deepEqual(await remote({ address: '127.0.0.1:1', unixPath }).service<Test>('test').echo({ a: 1 }), { a: 1 });
  });

  it('refuses a path that it may not take, and then listens nowhere', async () => {
    const file = join(folder, 'file');
    await writeFile(file, 'precious');
    await assert.rejects(start({ unixPath: file }), /no socket/);
    await assert.rejects(start({ unixPath: join(folder, 'x'.repeat(120)) }), /107 bytes/);
    await assert.rejects(start({ address: 'nonsense' }), /HOST:PORT/);
  });

  function startProcess(address: string, unixPath = ''): Promise<{ child: ChildProcess; address: string }> {
    const child = fork(SERVER_PROCESS, [address, unixPath]);
    children.push(child);
    return new Promise((resolve, reject) => {
      child.once('message', (message) => resolve({ child, address: String(message) }));
      child.once('exit', (code) => reject(new Error(`the server process ended with ${code}`)));
    });
  }
});

/** An HTTP request to HOST:PORT or a Unix-domain socket's path. */
function http(
  at: string,
  method: string,
  path: string,
  body: string | Buffer = '',
  headers: Record<string, string> = {},
): Promise<{ status: number; type: string; body: string }> {
  const [host, port] = at.split(':');
  const target = at.startsWith('/') ? { socketPath: at } : { host, port };
  return new Promise((resolve, reject) => {
    const sent = request({ ...target, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const type = response.headers['content-type'] ?? '';
        resolve({ status: response.statusCode ?? 0, type, body: Buffer.concat(chunks).toString() });
        sent.destroy();
      });
    });
    sent.on('error', reject);
    // A body that is announced and not sent: the answer must not wait for it.
    if (headers['content-length'] !== undefined) sent.flushHeaders();
    else sent.end(body);
  });
}
