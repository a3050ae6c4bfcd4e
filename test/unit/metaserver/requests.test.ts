// What arrives may be anything: it is refused with MALFORMED, changes nothing,
// and never brings the metaserver down.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { MetadataService } from '../../../src/protocol/services/metadata.js';
import { change, codeOf, makeRequest, ROOT, seeded, type TestMetaserver, withMetaserver } from './harness.js';

type Message = Record<string, unknown>;

/** The service as a stranger sees it. */
function execute(meta: TestMetaserver, message: unknown): Promise<object> {
  return meta.service.execute(message as Parameters<MetadataService['execute']>[0]);
}

function query(meta: TestMetaserver, message: unknown): Promise<object> {
  return meta.service.query(message as Parameters<MetadataService['query']>[0]);
}

const caller = { uid: 1, gid: 1 };
/** Given out and free again, by `prepare`. */
const UNUSED_INODE = 5;
const VALID_COMMANDS: Record<string, Message> = {
  make: { ...makeRequest(ROOT, 'new'), inode: UNUSED_INODE },
  makeUnnamed: { parent: ROOT, mode: 0o644, umask: 0o22, caller, blockSizeBytes: 4096, inode: UNUSED_INODE },
  link: { inode: 2, parent: ROOT, name: 'other' },
  unlink: { parent: ROOT, name: 'file', held: [2] },
  rmdir: { parent: ROOT, name: 'directory' },
  rename: { parent: ROOT, name: 'file', newParent: ROOT, newName: 'moved', mode: 'replace', held: [] },
  setattr: { inode: 2, changes: { mode: 0o600, uid: 1, gid: 1, accessTimeNs: 1n, modifyTimeNs: 1n }, caller },
  commit: {
    inode: 2,
    changes: [change(0, 0, 5)],
    truncateTo: 0,
    hole: { first: 3, end: 5 },
    minimumSizeBytes: 4096,
    modifyTimeNs: 1n,
    missing: ['data1'],
  },
  trim: { inode: 2, revision: 1, truncateTo: 0, hole: { first: 3, end: 5 }, modifyTimeNs: 1n },
  setxattr: { inode: 2, name: 'user.x', value: Buffer.from('x'), mode: 'set', killSetgid: true },
  removexattr: { inode: 2, name: 'user.y' },
  purge: { inode: 999 },
  allocate: { count: 1 },
  retireVersions: { below: 1 },
  collected: { sequences: [1] },
  registerServer: { name: 'data1', storeId: 'x', state: 'complete' },
  caughtUp: { server: 'data1', blocks: [{ inode: 2, index: 0, version: 5 }] },
  addMetaserver: { name: 'meta4', address: '127.0.0.1:7614' },
  dropMetaserver: { name: 'meta4' },
  abandon: {},
  forgetResults: { client: 'mount', requests: 3 },
};

const VALID_QUERIES: Record<string, Message> = {
  lookup: { parent: ROOT, name: 'file' },
  attributes: { inode: 2 },
  readlink: { inode: 4 },
  readdir: { inode: ROOT, cookie: 0, limit: 10, attributes: true },
  blocks: { inode: 2, first: 0, count: 10, most: 5 },
  named: { blocks: [{ inode: 2, index: 0, version: 5 }] },
  smallFiles: { after: 1, limit: 10, mostBytes: 100 },
  allBlocks: { after: { inode: 1, index: 0 }, limit: 10 },
  getxattr: { inode: 2, name: 'user.y' },
  listxattr: { inode: 2 },
  garbage: { after: 0, limit: 10 },
  missed: { server: 'data1', after: { inode: 1, index: 0 }, limit: 10 },
  servers: {},
  clients: { after: 'mount', limit: 10 },
  orphans: { limit: 10 },
  path: { inode: 2 },
  statistics: {},
};

/** Fields that may also be absent or null, by their name or with what they stand in. */
const OPTIONAL: Record<string, unknown[]> = {
  truncateTo: [null],
  requests: [undefined],
  after: [undefined, null],
  next: [null],
  hole: [undefined],
  most: [undefined],
  umask: [undefined],
  killSetgid: [undefined],
  'commit.modifyTimeNs': [null],
  'trim.modifyTimeNs': [null],
  'make.inode': [undefined],
  'makeUnnamed.inode': [undefined],
};

/** Values that can't stand where `value` stands. */
function wrongFor(value: unknown): unknown[] {
  if (typeof value === 'number') return [undefined, null, '1', true, 1n, {}, -1, 1.5, Number.NaN, 2 ** 53];
  if (typeof value === 'bigint') return [undefined, null, '1', 1, 2n ** 100n];
  if (typeof value === 'string') return [undefined, null, 7, {}, []];
  if (typeof value === 'boolean') return [undefined, null, 0, 'true'];
  if (value instanceof Uint8Array) return [undefined, null, 'x', [1], {}];
  if (Array.isArray(value)) return [undefined, null, {}, 'x', 7];
  return [undefined, null, [], 'x', 7];
}

/** The message, which `path` names, with one of its fields, however deep, replaced by what can't stand there. */
function* withOneWrongField(value: unknown, path: string[]): Generator<[string, unknown]> {
  const name = path.at(-1) ?? '';
  // Each of the attributes that a setattr changes may be absent.
  const within = path.at(-2) ?? '';
  const allowed = OPTIONAL[name] ?? OPTIONAL[`${within}.${name}`];
  const isOptional = within === 'changes' && Number.isNaN(Number(name));
  for (const wrong of wrongFor(value)) {
    if (allowed?.includes(wrong) || (isOptional && wrong === undefined)) continue;
    yield [`${path.join('.')} = ${String(wrong)}`, wrong];
  }
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
  for (const key of Object.keys(value)) {
    for (const [what, wrong] of withOneWrongField(Reflect.get(value, key), [...path, key])) {
      const copy = Array.isArray(value) ? [...value] : { ...value };
      Reflect.set(copy, key, wrong);
      yield [what, copy];
    }
  }
}

async function prepare(meta: TestMetaserver): Promise<void> {
  await meta.make(ROOT, 'file');
  await meta.make(ROOT, 'directory', 'directory');
  await meta.make(ROOT, 'link', 'symlink');
  await meta.do('setxattr', { inode: 2, name: 'user.y', value: Buffer.from('y'), mode: 'set' });
  const { inode } = await meta.make(ROOT, 'gone');
  assert.equal(inode, UNUSED_INODE);
  await meta.do('unlink', { parent: ROOT, name: 'gone', held: [] });
}

describe('requests to a metaserver', () => {
  for (const [name, request] of Object.entries(VALID_COMMANDS)) {
    it(`refuses ${name} with any field of another type`, () =>
      withMetaserver(async (meta) => {
        await prepare(meta);
        const before = await meta.ask('statistics', {});
        let tried = 0;
        for (const [what, wrong] of withOneWrongField(request, [name])) {
          const code = await codeOf(execute(meta, { name, timeNs: 1n, request: wrong, durable: false }));
          assert.equal(code, 'MALFORMED', what);
          tried++;
        }
        assert.ok(tried > 0);
        assert.deepEqual(await meta.ask('statistics', {}), before);
        assert.equal(await codeOf(execute(meta, { name, timeNs: 1n, request, durable: false })), 'none');
      }));
  }

  for (const [name, request] of Object.entries(VALID_QUERIES)) {
    it(`refuses the query ${name} with any field of another type`, () =>
      withMetaserver(async (meta) => {
        await prepare(meta);
        for (const [what, wrong] of withOneWrongField(request, [name])) {
          assert.equal(await codeOf(query(meta, { name, request: wrong })), 'MALFORMED', what);
        }
        assert.equal(await codeOf(query(meta, { name, request })), 'none');
      }));
  }

  it('refuses what names no command and no query', () =>
    withMetaserver(async (meta) => {
      for (const name of ['', 'nonsense', 'toString', '__proto__', 'constructor', null, 7, undefined, {}]) {
        assert.equal(await codeOf(execute(meta, { name, timeNs: 1n, request: {}, durable: false })), 'MALFORMED');
        assert.equal(await codeOf(query(meta, { name, request: {} })), 'MALFORMED');
      }
      for (const message of [null, undefined, 7, 'make', []]) {
        assert.equal(await codeOf(execute(meta, message)), 'MALFORMED');
      }
      const command = { name: 'purge', timeNs: 1n, request: { inode: 9 }, durable: false };
      assert.equal(await codeOf(execute(meta, { ...command, timeNs: 1 })), 'MALFORMED');
      assert.equal(await codeOf(execute(meta, { ...command, timeNs: 2n ** 100n })), 'MALFORMED');
      assert.equal(await codeOf(execute(meta, { ...command, durable: 1 })), 'MALFORMED');
      assert.equal(await codeOf(execute(meta, { ...command, request: null })), 'MALFORMED');
    }));

  it('refuses names with characters that are no bytes', () =>
    withMetaserver(async (meta) => {
      assert.equal(await codeOf(meta.make(ROOT, 'n\u0100')), 'MALFORMED');
      assert.equal(await codeOf(meta.ask('lookup', { parent: ROOT, name: '\ud800' })), 'MALFORMED');
    }));

  it('refuses a size in setattr and symbolic links that are too long', () =>
    withMetaserver(async (meta) => {
      const { inode } = await meta.make(ROOT, 'file');
      const request = { inode, changes: { sizeBytes: 0 }, caller };
      assert.equal(await codeOf(execute(meta, { name: 'setattr', timeNs: 1n, request, durable: false })), 'MALFORMED');
      const symlink = (target: string) =>
        codeOf(meta.do('make', { ...makeRequest(ROOT, `l${target.length}`, 'symlink'), target }));
      assert.equal(await symlink('t'.repeat(4096)), 'MALFORMED');
      assert.equal(await symlink('t'.repeat(4095)), 'none');
      assert.equal(await symlink(''), 'ENOENT');
    }));

  it('survives any nonsense', () =>
    withMetaserver(async (meta) => {
      await prepare(meta);
      const random = seeded(5);
      const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
      const pool = [
        undefined,
        null,
        -1,
        1.5,
        Number.NaN,
        {},
        [[]],
        () => 1,
        2n ** 100n,
        '\u0100',
        0,
        1,
        2,
        3,
        2 ** 53 - 1,
        1n,
        'file',
        'x',
        true,
        [1],
        ['data1'],
        [{}],
        Buffer.from('b'),
      ];
      for (let n = 0; n < 3000; n++) {
        const [name, valid] = pick(Object.entries(VALID_COMMANDS)) ?? ['', {}];
        const request = Object.fromEntries(
          Object.entries(valid).map(([key, value]) => [key, random() < 0.7 ? value : pick(pool)]),
        );
        await codeOf(execute(meta, { name, timeNs: 1n, request, durable: random() < 0.1 }));
      }
      assert.equal((await meta.attributes(ROOT)).kind, 'directory');
    }));
});
