// What the chaos monkey makes of servers that answer late, or not at all.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'mocha';
import { ChaosServer } from '../../../src/cli/catalog/chaos/chaos-servers.js';
import { History, type Operation } from '../../../src/cli/catalog/chaos/history.js';
import { whyNotReady } from '../../../src/cli/catalog/chaos/readiness.js';
import { haveChanged, NOT_KNOWN } from '../../../src/cli/catalog/chaos/seen-versions.js';

describe('the chaos monkey', function () {
  this.timeout(10_000);
  const answers: (string | null)[] = [];
  let calls = 0;
  let http: Server;
  let server: ChaosServer;

  before(async () => {
    http = createServer((_request, response) => {
      const answer = answers[calls++];
      if (answer == null) return;
      response.setHeader('content-type', 'text/xml');
      response.end(`<?xml version="1.0"?><methodResponse>${answer}</methodResponse>`);
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    const { port } = http.address() as AddressInfo;
    server = new ChaosServer({ name: 'a', address: `127.0.0.1:${port}` }, 'none', undefined);
  });

  after(() => {
    http.closeAllConnections();
    http.close();
  });

  it('asks a server to be restored until it has answered', async () => {
    calls = 0;
    answers.splice(0, answers.length, null, '<params><param><value><boolean>1</boolean></value></param></params>');
    await server.insist('restore', 8000);
    assert.equal(calls, 2);
  });

  it('does not ask again where it is refused', async () => {
    calls = 0;
    const fault =
      '<struct><member><name>faultCode</name><value><int>4</int></value></member>' +
      '<member><name>faultString</name><value><string>no hooks</string></value></member></struct>';
    answers.splice(0, answers.length, `<fault><value>${fault}</value></fault>`);
    await assert.rejects(server.insist('crash', 8000), /a: no hooks/);
    assert.equal(calls, 1);
  });

  it('calls no version changed that it has not heard', () => {
    assert.equal(haveChanged([1, NOT_KNOWN, 3], [1, 2, NOT_KNOWN]), false);
    assert.equal(haveChanged([1, NOT_KNOWN, 3], [2, 2, 3]), true);
  });

  const up = (role: string, isServing = false) => ({ name: 'x', protocol: 'x', role, details: { isServing } });
  for (const [protocol, statuses, words] of [
    ['raft', [up('leader', true), up('follower'), up('follower')], null],
    ['raft', [up('leader', true), undefined, undefined], 'no answer from b, c'],
    ['raft', [up('follower'), up('follower'), up('candidate')], 'no server leads yet'],
    ['raft', [up('leader'), up('follower'), up('follower')], 'no server leads yet'],
    ['viewstamped', [up('leader', true), up('crashed'), up('follower')], 'b is crashed, and must be restored first'],
    ['quorum', [up('peer'), up('peer'), up('blank')], 'c has not come into the catalog yet'],
    ['lazy', [up('peer'), up('peer'), up('peer')], null],
  ] as const) {
    const roles = statuses.map(
      (status) => `${status?.role ?? 'silent'}${status?.details.isServing ? ', serving' : ''}`,
    );
    it(`by ${protocol}, ${roles.join(' and ')}: ${words ?? 'begins'}`, () => {
      const servers = statuses.map((status, at) => ({ name: 'abc'.charAt(at), status }));
      assert.equal(whyNotReady(protocol, servers), words);
    });
  }

  const done = (kind: Operation['kind'], version: number | null, beganMs: number, endedMs: number): Operation => ({
    ...{ client: 1, path: '/a', kind, version, beganMs, endedMs },
    value: String(version),
  });

  it('knows what was answered while a majority was gone', () => {
    const history = new History();
    for (const operation of [
      done('write', 1, 0, 90),
      done('write', 2, 90, 150),
      done('read', 2, 120, 160),
      done('write', null, 130, Number.POSITIVE_INFINITY),
      done('write', 3, 180, 240),
    ]) {
      history.add(operation);
    }
    assert.deepEqual(
      history.answeredWithin(100, 200).map(({ kind, version }) => [kind, version]),
      [['read', 2]],
    );
    assert.deepEqual(history.problems('raft'), []);
  });

  it('notices a version that is given twice, and one that is seen after a later one', () => {
    const history = new History();
    for (const operation of [
      done('write', 1, 0, 10),
      done('write', 1, 20, 30),
      done('write', 2, 40, 50),
      done('read', 1, 60, 70),
    ]) {
      history.add(operation);
    }
    const problems = history.problems('raft').join('\n');
    assert.match(problems, /a version of \/a was given twice/);
    assert.match(problems, /order: read of version 1 of \/a at 60 ms, after 2/);
  });
});
