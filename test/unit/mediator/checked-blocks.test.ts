// Answers of a data server that can't be believed to be answers at all.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { checkedBlocks } from '../../../src/mediator/replicas/checked-blocks.js';
import type { BlockService } from '../../../src/protocol/services/blocks.js';

const GET = { inode: 1, index: 0, version: 5, offset: 0, length: 10, data: true };
const PUT = { inode: 1, index: 0, version: 5, data: Buffer.from('x') };
const PRESENT = { state: 'present', hash: 1n, length: 10, data: Buffer.from('0123456789') };
const ENTRY = { inode: 1, index: 0, version: 5, length: 10, hash: 1n, modifiedNs: 2n };
const STATUS = {
  name: 'data1',
  clusterId: null,
  storeId: 's',
  blocks: 1,
  bytes: 1,
  storedBytes: 1,
  freeBytes: 1,
  totalBytes: 1,
  diskId: 'd',
  trouble: null,
  reason: '',
};

/** The service of a server that answers this to everything. */
function answering(answer: unknown): BlockService {
  const reply = async () => answer;
  return checkedBlocks('data1', {
    put: reply,
    get: reply,
    list: reply,
    status: reply,
    adopt: reply,
  } as unknown as BlockService);
}

const asked: Record<string, (blocks: BlockService) => Promise<unknown>> = {
  get: (blocks) => blocks.get({ items: [GET] }),
  put: (blocks) => blocks.put({ items: [PUT], durable: true }),
  list: (blocks) => blocks.list({ limit: 10 }),
  status: (blocks) => blocks.status({}),
  adopt: (blocks) => blocks.adopt({ clusterId: 'c' }),
};

const GOOD: [string, unknown][] = [
  ['get', { results: [PRESENT] }],
  ['get', { results: [{ state: 'absent' }] }],
  ['put', { results: [{ state: 'stored', hash: 1n }] }],
  ['put', { results: [{ state: 'full' }] }],
  ['list', { entries: [ENTRY], next: GET }],
  ['status', STATUS],
  ['adopt', { ...STATUS, clusterId: 'c', trouble: 'full' }],
];

const BAD: [string, unknown][] = [
  ['get', null],
  ['status', 5],
  ['get', {}],
  ['get', { results: [] }],
  ['get', { results: [PRESENT, PRESENT] }],
  ['get', { results: [null] }],
  ['get', { results: [{ state: 'fine' }] }],
  ['get', { results: [{ ...PRESENT, hash: 1 }] }],
  ['get', { results: [{ ...PRESENT, length: '10' }] }],
  ['get', { results: [{ ...PRESENT, data: '0123456789' }] }],
  ['get', { results: [{ ...PRESENT, pageHashes: 7 }] }],
  ['put', { results: 'stored' }],
  ['put', { results: [{ state: 'stored' }] }],
  ['put', { results: [{ state: 'absent' }] }],
  ['list', { entries: null }],
  ['list', { entries: [{ ...ENTRY, version: 5n }] }],
  ['list', { entries: [], next: 3 }],
  ['status', { ...STATUS, storeId: undefined }],
  ['status', { ...STATUS, freeBytes: 'many' }],
  ['adopt', { ...STATUS, clusterId: 5 }],
];

describe("a data server's answers", () => {
  for (const [call, answer] of GOOD) {
    it(`to ${call} pass: ${inWords(answer)}`, async () => assert.equal(await asked[call]?.(answering(answer)), answer));
  }

  for (const [call, answer] of BAD) {
    it(`to ${call} fail the call: ${inWords(answer)}`, () =>
      assert.rejects(async () => asked[call]?.(answering(answer)), { code: 'FAILED' }));
  }
});

function inWords(answer: unknown): string {
  return JSON.stringify(answer, (_key, value) => (typeof value === 'bigint' ? `${value}n` : value));
}
