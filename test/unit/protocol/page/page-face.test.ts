// Who may see the page and who may change something by it.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ServiceError } from '../../../../src/protocol/errors.js';
import { httpFace, refuseHttp } from '../../../../src/protocol/http/http-face.js';
import { LiveFeed } from '../../../../src/protocol/page/live-feed.js';
import { answerPage, type PageParts } from '../../../../src/protocol/page/page-face.js';
import { silentLog } from '../../../../src/runtime/log.js';
import type { HttpReply, HttpRequest } from '../../../../src/runtime/network.js';
import { ManualClock } from '../../../support/manual-clock.js';

const HOST = { host: '127.0.0.1:7600' };
const OWN = { ...HOST, 'x-nmrfs-page': '1' };

function page(more: Partial<PageParts> = {}) {
  const done: object[] = [];
  const live = new LiveFeed({ first: () => ({}), snapshot: async () => ({}) }, new ManualClock());
  const parts: PageParts = {
    files: new Map([['index.html', { type: 'text/html', content: new TextEncoder().encode('<html>'), tag: 't1' }]]),
    live,
    questions: { echo: async (query) => ({ asked: query.get('word') }) },
    changes: {
      harm: async (request) => void done.push(request),
      refuse: async () => {
        throw new ServiceError('REFUSED', 'hooks are off');
      },
    },
    address: '127.0.0.1:7600',
    hasSecret: false,
    ...more,
  };
  const send = async (request: Partial<HttpRequest>): Promise<HttpReply> => {
    const whole = { method: 'GET', path: '/', query: '', headers: HOST, body: new Uint8Array(), ...request };
    const reply = await answerPage(parts, whole);
    assert.ok(reply !== undefined, 'it is the page’s');
    return reply;
  };
  const change = (name: string, body: string, headers: HttpRequest['headers'] = OWN): Promise<HttpReply> =>
    send({ method: 'POST', path: `/page/${name}`, headers, body: new TextEncoder().encode(body) });
  return { parts, done, send, change };
}

describe('the page by HTTP', () => {
  it('has no script and no style of its own in the document, and no frame around it', async () => {
    const { status, headers } = await page().send({});
    assert.equal(status, 200);
    const policy = headers?.['content-security-policy'] ?? '';
    assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
  });

  it('is not sent again to who has it', async () => {
    const { status, body } = await page().send({ headers: { ...HOST, 'if-none-match': '"t1"' } });
    assert.deepEqual({ status, body }, { status: 304, body: '' });
  });

  it('answers questions as JSON', async () => {
    const { body } = await page().send({ path: '/page/echo', query: 'word=hello' });
    assert.equal(body, '{"asked":"hello"}');
  });

  it('leaves alone what is not its', async () => {
    const request = { method: 'GET', path: '/metrics', query: '', headers: HOST, body: new Uint8Array() };
    assert.equal(await answerPage(page().parts, request), undefined);
    assert.equal((await page().send({ path: '/page/constructor' })).status, 404);
    assert.equal((await page().send({ path: '/', method: 'POST' })).status, 405);
  });

  it('changes nothing without the header that other sites can not send', async () => {
    const { change, done } = page();
    assert.equal((await change('harm', '{"a":1}', HOST)).status, 403);
    assert.deepEqual(done, []);
    assert.equal((await change('harm', '{"a":1}')).status, 200);
    assert.deepEqual(done, [{ a: 1 }]);
  });

  it('changes nothing by GET, nor for what is no JSON object', async () => {
    const { change, send, done } = page();
    assert.equal((await send({ path: '/page/harm', headers: OWN })).status, 404);
    for (const body of ['', '[1]', 'null', '"a"', '{']) assert.equal((await change('harm', body)).status, 409, body);
    assert.deepEqual(done, []);
  });

  it('says why a change is refused', async () => {
    const { status, body } = await page().change('refuse', '{}');
    assert.deepEqual({ status, body }, { status: 403, body: '{"error":"hooks are off","code":"REFUSED"}' });
  });

  it('is for names of this machine only where there is no secret', async () => {
    const { send } = page();
    for (const host of ['127.0.0.1:7600', 'localhost:7600', '[::1]:7600']) {
      assert.equal((await send({ headers: { host } })).status, 200, host);
    }
    assert.equal((await send({ headers: { host: 'evil.example:7600' } })).status, 403);
    const { send: sendWithSecret } = page({ hasSecret: true });
    assert.equal((await sendWithSecret({ headers: { host: 'mediator.lan:7600' } })).status, 200);
  });

  it("wants the cluster's secret, and no page of another site, as everything else by HTTP", async () => {
    const other = (request: HttpRequest) => answerPage(page().parts, request);
    const face = { address: '127.0.0.1:7600', other, secret: 'abc' };
    const answer = httpFace(face, silentLog);
    const request = { method: 'GET', path: '/', query: '', headers: HOST, body: new Uint8Array() };
    const refused = await answer(request);
    assert.equal(refused.status, 401);
    assert.equal(refused.headers?.['www-authenticate'], 'Basic realm="nmrfs"');
    const authorization = `Basic ${Buffer.from('anybody:abc').toString('base64')}`;
    assert.equal((await answer({ ...request, headers: { ...HOST, authorization } })).status, 200);
    const foreign = { ...OWN, authorization, origin: 'http://evil.example' };
    assert.equal(refuseHttp(face, { ...request, method: 'POST', headers: foreign })?.status, 403);
  });

  it('lets no page in whose own name leads here, whatever it asks for', () => {
    const face = { address: '127.0.0.1:7600' };
    const asked = (host: string, path = '/RPC2') =>
      refuseHttp(face, { method: 'POST', path, query: '', headers: { host, origin: `http://${host}` } })?.status;
    assert.equal(asked('evil.example:7600'), 403);
    assert.equal(asked('evil.example:7600', '/page/harm'), 403);
    assert.equal(asked('localhost:7600'), undefined);
    assert.equal(
      refuseHttp(face, { method: 'POST', path: '/RPC2', query: '', headers: { host: 'me:7600' } }),
      undefined,
    );
  });

  it('answers HEAD as GET', async () => {
    assert.equal((await page().send({ method: 'HEAD' })).status, 200);
  });
});
