// What one server of a catalog answers by HTTP and by XML-RPC, and to bad input.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'mocha';
import { parseCatalogConfig } from '../../../src/catalog/configuration/parse-config.js';
import { type RunningCatalog, runCatalog } from '../../../src/catalog/main.js';
import { callXmlRpc, XmlRpcFault, type XmlRpcValue } from '../../../src/protocol/http/xml-rpc.js';
import { silentLog } from '../../../src/runtime/log.js';
import { nodeRuntime } from '../../../src/runtime/node/runtime.js';
import { freePorts, until } from '../../support/cluster.js';

describe('a server of a catalog', function () {
  this.timeout(20_000);
  let running: RunningCatalog;
  let isStopping = false;

  before(async () => {
    const [port] = await freePorts(1);
    const config = parseCatalogConfig(`M: 1\nmetadata0: 127.0.0.1:${port}\n`, '/config');
    const [server] = config.servers;
    assert(server !== undefined);
    const runtime = { ...nodeRuntime({ logLevel: 'error', logName: 'test' }), log: silentLog };
    running = await runCatalog({ config, server, isNewcomer: false }, runtime);
    void running.stopRequested.then(() => {
      isStopping = true;
    });
    await until('it leads', async () => running.catalog.isLeader);
  });

  after(() => running.close());

  async function http(method: string, path: string, body?: string, headers: Record<string, string> = {}) {
    const response = await fetch(`http://${running.address}${path}`, {
      method,
      headers,
      redirect: 'manual',
      ...(body === undefined ? {} : { body }),
    });
    const { status } = response;
    return { status, etag: response.headers.get('etag'), text: await response.text() };
  }

  function call(method: string, ...parameters: XmlRpcValue[]): Promise<XmlRpcValue> {
    return callXmlRpc(running.address, method, parameters);
  }

  it('answers HTTP as documented', async () => {
    assert.deepEqual(await http('POST', '/v1/h', 'one'), {
      status: 201,
      etag: '"1"',
      text: '{"path":"/h","version":1}\n',
    });
    assert.equal((await http('POST', '/v1/h', 'one')).status, 409);
    assert.equal((await http('POST', '/v1/no/parent', 'one')).status, 409);
    assert.equal((await http('PUT', '/v1/h', 'two', { 'if-match': '"1"' })).status, 200);
    assert.equal((await http('PUT', '/v1/h', 'three', { 'if-match': '"1"' })).status, 412);
    assert.equal((await http('PUT', '/v1/h', 'three', { 'if-match': 'x' })).status, 400);
    assert.equal((await http('PUT', '/v1/nothing', 'two')).status, 404);
    assert.equal((await http('GET', '/v1/h')).text, '{"path":"/h","version":2,"value":"two"}\n');
    assert.equal((await http('GET', '/v1/h?raw')).text, 'two');
    assert.equal((await http('GET', '/v1/?list')).text, '{"path":"/","children":["h"]}\n');
    assert.equal((await http('POST', '/v1/h/%2F', 'odd')).status, 400, 'a slash in a name is a slash');
    assert.equal((await http('POST', '/v1/h/%C3%BC%20b', 'odd')).status, 201);
    assert.match((await http('GET', '/v1/h?list')).text, /"ü b"/);
    assert.equal((await http('DELETE', '/v1/h')).status, 409);
    assert.equal((await http('DELETE', '/v1/h/%C3%BC%20b')).status, 200);
    assert.equal((await http('GET', '/v1/%zz')).status, 400);
    assert.equal((await http('GET', '/v1/a//b')).status, 400);
    assert.equal((await http('PATCH', '/v1/h')).status, 405);
    assert.equal((await http('PUT', '/v1/h', 'x'.repeat(2 ** 20 + 1))).status, 413);
    assert.equal((await http('GET', '/status')).status, 200);
    assert.equal((await http('POST', '/remove')).status, 400);
    assert.equal((await http('POST', '/remove?name=zz')).status, 404);
    const added = await http('POST', '/add?name=metadata0&address=127.0.0.1:1');
    assert.equal(added.status, 409);
    assert.match(added.text, /metadata0 is at 127\.0\.0\.1:\d+ already: remove that server first/);
  });

  it('answers a long poll when the version is another one, or the time is over', async () => {
    await http('POST', '/v1/poll', 'one');
    const polled = http('GET', '/v1/poll?wait=1');
    await http('PUT', '/v1/poll', 'two');
    assert.match((await polled).text, /"version":2/);
    assert.match((await http('GET', '/v1/poll?wait=2&timeout=0')).text, /"version":2/);
  });

  it('carries a request out once, under the token that it brings', async () => {
    await http('POST', '/v1/once', 'one');
    for (let time = 0; time < 2; time++) {
      const { text } = await http('PUT', '/v1/once', 'two', { 'x-catalog-request': 'the same' });
      assert.match(text, /"version":2/);
    }
  });

  it("answers SurfStore's methods under both names", async () => {
    assert.equal(await call('ping'), true);
    assert.equal(await call('surfstore.updatefile', 'f', 1, ['a', 0, Buffer.from('b')]), true);
    assert.equal(await call('updatefile', 'f', 3, []), false);
    assert.deepEqual(await call('surfstore.getfileinfomap'), { f: [1, ['a', 0, Buffer.from('b')]] });
    assert.equal(await call('surfstore.tester_getversion', 'f'), 1);
    assert.equal(await call('surfstore.isLeader'), true);
    assert.equal(await call('putblock', Buffer.from('block')), true);
    // SHA-256 of block.
    const hash = createHash('sha256').update('block').digest('hex');
    const other = '0'.repeat(64);
    assert.deepEqual(await call('hasblocks', [other, hash]), [hash]);
    assert.deepEqual(await call('getblock', hash), Buffer.from('block'));
    await assert.rejects(call('getblock', other), XmlRpcFault);
  });

  it("answers TritonTransfer's methods", async () => {
    await call('putblock', Buffer.from('hello'));
    const hash = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';
    const missing = '0'.repeat(64);
    const store = (version: number, blocks: string[]) => call('storeFile', { filename: 't', version, blocks });
    assert.deepEqual(await store(10, [hash, missing]), { status: 'MISSING_BLOCKS', blocks: [missing] });
    assert.deepEqual(await store(10, [hash]), { status: 'OK', blocks: [] });
    assert.deepEqual(await store(10, [hash]), { status: 'FILE_ALREADY_EXISTS', blocks: [] });
    assert.deepEqual(await call('getFile', 't'), { filename: 't', version: 10, blocks: [hash], status: 'OK' });
    assert.deepEqual(await call('deleteFile', { filename: 't', version: 9 }), {
      status: 'FILE_ALREADY_EXISTS',
      blocks: [],
    });
    assert.deepEqual(await call('deleteFile', { filename: 't', version: 11 }), { status: 'OK', blocks: [] });
    assert.deepEqual(await call('getFile', 't'), { filename: 't', version: 11, blocks: [], status: 'ERROR' });
    assert.deepEqual(await call('getFile', 'never'), { filename: 'never', version: 0, blocks: [], status: 'ERROR' });
  });

  for (const [method, parameters, fault] of [
    ['nothing', [], /there is no method/],
    ['constructor', [], /there is no method/],
    ['updatefile', ['f', 'x', []], /a version is a whole number/],
    ['updatefile', ['', 1, []], /a file name/],
    ['updatefile', ['f', 2, [true]], /a hash is/],
    ['getblock', ['../../etc/passwd'], /64 hexadecimal digits/],
    ['RequestVote', [1, 'stranger', 0, 0], /no server of this group/],
    ['AppendEntries', [-1, 0, 0, 0, [], 0], /a whole number/],
    ['requestvote', [1, 'stranger', 0, 0], /no server of this group/],
    ['appendentries', [-1, 0, 0, 0, [], 0], /a whole number/],
  ] as const) {
    it(`refuses ${method}(${JSON.stringify(parameters)})`, async () => {
      await assert.rejects(call(method, ...(parameters as unknown as XmlRpcValue[])), (error: Error) => {
        return error instanceof XmlRpcFault && fault.test(error.message);
      });
    });
  }

  it('refuses XML that grows, and what is no XML', async () => {
    const bomb = `<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
      <methodCall><methodName>updatefile</methodName><params><param><value><string>&b;</string></value></param></params></methodCall>`;
    // No entity is taken from it.
    assert.doesNotMatch((await http('POST', '/RPC2', bomb)).text, /aaaaaaaaaa/);
    for (const body of ['no XML', '', '<methodCall>'])
      assert.match((await http('POST', '/RPC2', body)).text, /<fault>/);
    assert.equal(await call('ping'), true);
  });

  it('crashes and is restored, as often as it is told', async () => {
    for (let time = 0; time < 2; time++) await call('crash');
    assert.equal(await call('isCrashed'), true);
    assert.equal(await call('isLeader'), false);
    assert.equal((await http('GET', '/v1/h')).status, 503);
    for (const method of ['RequestVote', 'AppendEntries', 'requestvote', 'appendentries']) {
      await assert.rejects(call(method), (error: Error) => error instanceof XmlRpcFault && error.faultCode === 2);
    }
    assert.equal(await call('tester_getversion', 'f'), 1);
    for (let time = 0; time < 2; time++) await call('restore');
    await until('it leads again', async () => (await call('isLeader')) === true);
    assert.match((await http('GET', '/v1/h')).text, /two/);
  });

  it('is asked to stop', async () => {
    assert.equal((await http('GET', '/stop')).status, 400);
    assert.equal(isStopping, false);
    assert.equal((await http('POST', '/stop')).status, 202);
    await until('it is asked', async () => isStopping);
  });

  async function rawCall(xml: string): Promise<string> {
    return (await http('POST', '/RPC2', `<?xml version="1.0"?>${xml}`)).text;
  }

  const callOf = (name: string, ...parameters: string[]) =>
    `<methodCall><methodName>${name}</methodName><params>${parameters
      .map((parameter) => `<param><value>${parameter}</value></param>`)
      .join('')}</params></methodCall>`;
  const HASHES = '<array><data><value><string>h</string></value></data></array>';

  for (const [what, xml, answer] of [
    [
      'integers with a fraction',
      callOf('updatefile', '<string>strict</string>', '<int>1.5</int>', HASHES),
      /1\.5 is no integer of 32 bits/,
    ],
    [
      'integers beyond 32 bits',
      callOf('updatefile', '<string>strict</string>', '<int>4294967297</int>', HASHES),
      /4294967297 is no integer of 32 bits/,
    ],
    [
      'parameters that a method does not take',
      callOf('tester_getversion', '<string>x</string>', '<int>1</int>'),
      /tester_getversion takes 1 parameters, and not 2/,
    ],
    ['document types', `<!DOCTYPE x [<!ENTITY e "v">]>${callOf('ping')}`, /a document type has no place in a call/],
  ] as const) {
    it(`refuses ${what} by XML-RPC`, async () => {
      assert.match(await rawCall(xml), answer);
      assert.equal(await call('tester_getversion', 'strict'), 0);
    });
  }

  it('answers by the status what a request of TritonTransfer lacks', async () => {
    for (const [file, words] of [
      [{ filename: 'lacks', version: 1 }, /blocks is missing/],
      [{ filename: 'lacks', blocks: [] }, /a version is a number of seconds/],
      [{ filename: '', version: 1, blocks: [] }, /a file name is a text/],
      ['lacks', /a file is a struct/],
    ] as const) {
      const { status, message } = (await call('storeFile', file as XmlRpcValue)) as { status: string; message: string };
      assert.equal(status, 'ERROR');
      assert.match(message, words);
    }
    assert.deepEqual(await call('storeFile', { filename: 'lacks', version: 1, blocks: [] }), {
      status: 'OK',
      blocks: [],
    });
  });

  it('refuses tokens of requests that are too long to be remembered', async () => {
    const { status, text } = await http('POST', '/v1/token', '', { 'x-catalog-request': 'x'.repeat(201) });
    assert.equal(status, 400);
    assert.match(text, /x-catalog-request may have 200 characters/);
  });
});
