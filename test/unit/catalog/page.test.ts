// The page of a catalog server: its group, live, and nothing that changes it.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Catalog, CatalogStatus } from '../../../src/catalog/catalog.js';
import { catalogPage } from '../../../src/catalog/faces/page.js';
import { CatalogError } from '../../../src/catalog/map/errors.js';
import type { HttpReply, HttpStream } from '../../../src/runtime/network.js';
import { ManualClock } from '../../support/manual-clock.js';

const STATUS: CatalogStatus = {
  name: 'a',
  protocol: 'raft',
  role: 'leader',
  isCrashed: false,
  leader: 'a',
  servers: [{ name: 'a', address: '127.0.0.1:9001', role: 'leader' }],
  promise: 'the latest',
  details: { term: 2 },
};

function open(status: () => Promise<CatalogStatus>) {
  const clock = new ManualClock();
  const files = new Map([['index.html', { type: 'text/html', content: Buffer.from('<html>'), tag: 't' }]]);
  const answer = catalogPage({ files, address: '127.0.0.1:9001', hasSecret: false }, { status } as Catalog, clock);
  const ask = (method: string, path: string): Promise<HttpReply | undefined> =>
    answer({
      method,
      path,
      query: '',
      headers: { host: '127.0.0.1:9001', 'x-nmrfs-page': '1' },
      body: Buffer.from('{}'),
    });
  return { clock, ask };
}

async function firstWord(status: () => Promise<CatalogStatus>): Promise<Record<string, unknown>> {
  const { clock, ask } = open(status);
  const heard: string[] = [];
  const viewer: HttpStream = {
    write: (chunk) => void heard.push(Buffer.from(chunk).toString()),
    queuedBytes: () => 0,
    onClose: () => {},
    end: () => {},
    drop: () => {},
  };
  (await ask('GET', '/page/live'))?.stream?.(viewer);
  await clock.advance(10);
  return JSON.parse(heard.join('').replace(/^event: snapshot\ndata: /, ''));
}

describe('the page of a catalog server', () => {
  it('is at /, and leaves the rest to the catalog', async () => {
    const { ask } = open(async () => STATUS);
    assert.equal((await ask('GET', '/'))?.status, 200);
    assert.equal(await ask('GET', '/v1/a'), undefined);
    assert.equal(await ask('GET', '/status'), undefined);
  });

  it('says how the group is', async () => {
    assert.deepEqual(await firstWord(async () => STATUS), { ...STATUS, role: 'catalog', timeMs: 0 });
  });

  it('says why it can not', async () => {
    const failing = async () => {
      throw new CatalogError('UNAVAILABLE', 'nobody leads');
    };
    assert.deepEqual(await firstWord(failing), { role: 'troubled', timeMs: 0, reason: 'nobody leads' });
  });

  it('answers no questions about files, and changes nothing', async () => {
    const { ask } = open(async () => STATUS);
    assert.equal((await ask('GET', '/page/folder'))?.status, 404);
    assert.equal((await ask('POST', '/page/terminate'))?.status, 404);
  });
});
