import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Opcode, SetattrFlag } from '../../../src/fuse-client/kernel/codec/layout.js';
import type { Arguments } from '../../../src/fuse-client/kernel/codec/request-types.js';
import { parseArguments, parseHeader } from '../../../src/fuse-client/kernel/codec/requests.js';
import { MalformedRequest } from '../../../src/fuse-client/kernel/codec/whole-numbers.js';
import { requestBytes, text, u32, u64 } from './request-bytes.js';

function parse(opcode: number, ...pieces: Buffer[]): Arguments {
  const bytes = requestBytes({ opcode, inode: 9 }, ...pieces);
  return parseArguments(parseHeader(bytes), bytes);
}

const TABLE: { name: string; opcode: number; pieces: Buffer[]; expected: Arguments }[] = [
  { name: 'LOOKUP', opcode: Opcode.LOOKUP, pieces: [text('a\xff')], expected: { kind: 'lookup', name: 'a\xff' } },
  {
    name: 'FORGET',
    opcode: Opcode.FORGET,
    pieces: [u64(3)],
    expected: { kind: 'forget', forgets: [{ inode: 9, count: 3 }] },
  },
  {
    name: 'BATCH_FORGET',
    opcode: Opcode.BATCH_FORGET,
    pieces: [u32(2, 0), u64(5, 1, 6, 2)],
    expected: {
      kind: 'forget',
      forgets: [
        { inode: 5, count: 1 },
        { inode: 6, count: 2 },
      ],
    },
  },
  { name: 'GETATTR', opcode: Opcode.GETATTR, pieces: [u32(0, 0), u64(0)], expected: { kind: 'getattr' } },
  {
    name: 'SETATTR before 1970',
    opcode: Opcode.SETATTR,
    pieces: [u32(SetattrFlag.MTIME, 0), u64(4, 100, 0, 7, -2, 0), u32(1, 999_999_999, 0, 0o100644, 0, 10, 20, 0)],
    expected: {
      kind: 'setattr',
      valid: SetattrFlag.MTIME,
      handle: 4,
      sizeBytes: 100,
      accessTimeNs: 7_000_000_001n,
      modifyTimeNs: -1_000_000_001n,
      mode: 0o100644,
      uid: 10,
      gid: 20,
    },
  },
  {
    name: 'SYMLINK',
    opcode: Opcode.SYMLINK,
    pieces: [text('name'), text('to/where')],
    expected: { kind: 'symlink', name: 'name', target: 'to/where' },
  },
  {
    name: 'MKNOD',
    opcode: Opcode.MKNOD,
    pieces: [u32(0o010600, 5, 0o22, 0), text('pipe')],
    expected: { kind: 'mknod', name: 'pipe', mode: 0o010600, umask: 0o22, device: 5 },
  },
  {
    name: 'MKDIR',
    opcode: Opcode.MKDIR,
    pieces: [u32(0o755, 0o22), text('d')],
    expected: { kind: 'mkdir', name: 'd', mode: 0o755, umask: 0o22 },
  },
  {
    name: 'RENAME',
    opcode: Opcode.RENAME,
    pieces: [u64(3), text('a'), text('b')],
    expected: { kind: 'rename', newParent: 3, flags: 0, name: 'a', newName: 'b' },
  },
  {
    name: 'RENAME2',
    opcode: Opcode.RENAME2,
    pieces: [u64(3), u32(2, 0), text('a'), text('b')],
    expected: { kind: 'rename', newParent: 3, flags: 2, name: 'a', newName: 'b' },
  },
  { name: 'LINK', opcode: Opcode.LINK, pieces: [u64(8), text('l')], expected: { kind: 'link', source: 8, name: 'l' } },
  {
    name: 'OPEN',
    opcode: Opcode.OPEN,
    pieces: [u32(0o1001, 1)],
    expected: { kind: 'open', flags: 0o1001, killPrivileges: true },
  },
  {
    name: 'CREATE',
    opcode: Opcode.CREATE,
    pieces: [u32(0o101, 0o100600, 0o22, 0), text('new')],
    expected: { kind: 'create', flags: 0o101, mode: 0o100600, umask: 0o22, killPrivileges: false, name: 'new' },
  },
  {
    name: 'READ',
    opcode: Opcode.READ,
    pieces: [u64(1, 2 ** 40), u32(4096, 0), u64(0), u32(0, 0)],
    expected: { kind: 'read', handle: 1, offset: 2 ** 40, size: 4096 },
  },
  {
    name: 'WRITE',
    opcode: Opcode.WRITE,
    pieces: [u64(1, 10), u32(3, 4), u64(0), u32(0, 0), Buffer.from('abc')],
    expected: { kind: 'write', handle: 1, offset: 10, writeFlags: 4, data: Buffer.from('abc') },
  },
  {
    name: 'SETXATTR',
    opcode: Opcode.SETXATTR,
    pieces: [u32(2, 1), text('user.k'), Buffer.from('vv')],
    expected: { kind: 'setxattr', name: 'user.k', flags: 1, killSetgid: false, value: Buffer.from('vv') },
  },
  {
    name: 'GETXATTR',
    opcode: Opcode.GETXATTR,
    pieces: [u32(64, 0), text('user.k')],
    expected: { kind: 'getxattr', size: 64, name: 'user.k' },
  },
  { name: 'INTERRUPT', opcode: Opcode.INTERRUPT, pieces: [u64(44)], expected: { kind: 'interrupt', unique: 44 } },
  { name: 'POLL', opcode: 40, pieces: [], expected: { kind: 'refused', code: 'ENOSYS' } },
  {
    name: 'TMPFILE',
    opcode: Opcode.TMPFILE,
    pieces: [u32(0o102, 0o100600, 0o22, 0), text('/')],
    expected: { kind: 'tmpfile', flags: 0o102, mode: 0o100600, umask: 0o22 },
  },
  {
    name: 'FALLOCATE',
    opcode: Opcode.FALLOCATE,
    pieces: [u64(4, 2 ** 33, 100), u32(3, 0)],
    expected: { kind: 'fallocate', handle: 4, offset: 2 ** 33, length: 100, mode: 3 },
  },
  ...[Opcode.COPY_FILE_RANGE, Opcode.COPY_FILE_RANGE_64].map((opcode) => ({
    name: `COPY_FILE_RANGE (${opcode})`,
    opcode,
    pieces: [u64(4, 2 ** 33, 9, 5, 2 ** 34, 2 ** 20, 0)],
    expected: {
      kind: 'copy' as const,
      source: { handle: 4, offset: 2 ** 33 },
      target: { handle: 5, offset: 2 ** 34 },
      length: 2 ** 20,
      flags: 0,
    },
  })),
  {
    name: 'LSEEK',
    opcode: Opcode.LSEEK,
    pieces: [u64(4, 5), u32(3, 0)],
    expected: { kind: 'seek', handle: 4, offset: 5, what: 'data' },
  },
  {
    name: 'offsets that are too large, or negative, as behind every file',
    opcode: Opcode.LSEEK,
    pieces: [u64(4, -1), u32(4, 0)],
    expected: { kind: 'seek', handle: 4, offset: Number.MAX_SAFE_INTEGER, what: 'hole' },
  },
];

describe('FUSE requests', () => {
  for (const { name, opcode, pieces, expected } of TABLE) {
    it(`reads ${name}`, () => assert.deepEqual(parse(opcode, ...pieces), expected));
  }

  it('reads the long form of SETXATTR, where that is agreed on', () => {
    const bytes = requestBytes({ opcode: Opcode.SETXATTR }, u32(2, 1, 1, 0), text('user.k'), Buffer.from('vv'));
    assert.deepEqual(parseArguments(parseHeader(bytes), bytes, { longSetxattr: true }), {
      kind: 'setxattr',
      name: 'user.k',
      flags: 1,
      killSetgid: true,
      value: Buffer.from('vv'),
    });
  });

  it('hands on who is asking', () => {
    const header = parseHeader(
      requestBytes({ opcode: Opcode.GETATTR, unique: 2 ** 40, inode: 12, uid: 1000, gid: 100 }),
    );
    assert.deepEqual(header, { opcode: 3, unique: 2 ** 40, inode: 12, uid: 1000, gid: 100, pid: 77 });
  });

  const MALFORMED: { name: string; bytes: Buffer }[] = [
    { name: 'less than a header', bytes: Buffer.alloc(39) },
    { name: 'a wrong length', bytes: Buffer.concat([requestBytes({ opcode: 3 }), Buffer.from([1])]) },
    { name: 'an inode beyond 2^53', bytes: requestBytes({ opcode: 3, inode: Number.MAX_SAFE_INTEGER + 1 }) },
    { name: 'a name without its NUL', bytes: requestBytes({ opcode: Opcode.LOOKUP }, Buffer.from('abc')) },
    { name: 'an empty name', bytes: requestBytes({ opcode: Opcode.LOOKUP }, text('')) },
    { name: 'arguments that are too short', bytes: requestBytes({ opcode: Opcode.READ }, u64(1)) },
    {
      name: 'a write that promises more than it has',
      bytes: requestBytes({ opcode: Opcode.WRITE }, u64(1, 0), u32(100, 0), u64(0), u32(0, 0), Buffer.alloc(99)),
    },
    { name: 'a forget list that is too short', bytes: requestBytes({ opcode: Opcode.BATCH_FORGET }, u32(1000, 0)) },
  ];
  for (const { name, bytes } of MALFORMED) {
    it(`refuses ${name}`, () => {
      assert.throws(() => parseArguments(parseHeader(bytes), bytes), MalformedRequest);
    });
  }
});
