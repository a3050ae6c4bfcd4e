import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  encodeAttributes,
  encodeDirectory,
  encodeEntry,
} from '../../../src/fuse-client/kernel/codec/attribute-replies.js';
import { encodeInit } from '../../../src/fuse-client/kernel/codec/init-reply.js';
import { HighInitFlag, InitFlag } from '../../../src/fuse-client/kernel/codec/layout.js';
import { encodeInvalidation } from '../../../src/fuse-client/kernel/codec/notifications.js';
import { encodeError, encodeReply, encodeStatfs } from '../../../src/fuse-client/kernel/codec/replies.js';
import { kindOf } from '../../../src/fuse-client/posix/file-modes.js';
import type { Attributes, DirectoryEntry } from '../../../src/protocol/services/files.js';

const ATTRIBUTES: Attributes = {
  inode: 2 ** 40 + 5,
  kind: 'file',
  mode: 0o4755,
  links: 3,
  uid: 1000,
  gid: 100,
  sizeBytes: 2 ** 45 + 1,
  allocatedBytes: 1025,
  accessTimeNs: 1_500_000_000n,
  modifyTimeNs: -1n,
  changeTimeNs: -2_000_000_000n,
  device: 0,
  blockSizeBytes: 131072,
  extendedAttributes: 0,
  revision: 1,
};

describe('FUSE replies', () => {
  it('name the request, the length and the error', () => {
    const [header, body] = encodeReply(7, [Buffer.from('abc')]);
    assert.equal(Buffer.from(header ?? []).toString('hex'), '13000000000000000700000000000000');
    assert.equal(Buffer.from(body ?? []).toString(), 'abc');
    const [error] = encodeError(2 ** 33, 5);
    assert.equal(Buffer.from(error ?? []).toString('hex'), '10000000fbffffff0000000002000000');
  });

  it('carry data without copying it', () => {
    const data = Buffer.from('payload');
    assert.equal(encodeReply(1, [data])[1], data);
  });

  it('lay out attributes as struct fuse_attr, times before 1970 with positive nanoseconds', () => {
    const [body] = encodeAttributes(ATTRIBUTES, 1500);
    const bytes = Buffer.from(body ?? []);
    assert.equal(bytes.length, 104);
    assert.equal(bytes.readBigUInt64LE(0), 1n);
    assert.equal(bytes.readUInt32LE(8), 500_000_000);
    assert.equal(bytes.readBigUInt64LE(16), BigInt(ATTRIBUTES.inode));
    assert.equal(bytes.readBigUInt64LE(24), BigInt(ATTRIBUTES.sizeBytes));
    assert.equal(bytes.readBigUInt64LE(32), 3n);
    assert.deepEqual([bytes.readBigInt64LE(40), bytes.readUInt32LE(64)], [1n, 500_000_000]);
    assert.deepEqual([bytes.readBigInt64LE(48), bytes.readUInt32LE(68)], [-1n, 999_999_999]);
    assert.deepEqual([bytes.readBigInt64LE(56), bytes.readUInt32LE(72)], [-2n, 0]);
    assert.equal(bytes.readUInt32LE(76), 0o104755);
    assert.deepEqual([bytes.readUInt32LE(80), bytes.readUInt32LE(84), bytes.readUInt32LE(88)], [3, 1000, 100]);
    assert.equal(bytes.readUInt32LE(96), 131072);
  });

  it('give names the same validity as attributes', () => {
    const bytes = encodeEntry(ATTRIBUTES, 2250);
    assert.equal(bytes.length, 128);
    assert.deepEqual([bytes.readBigUInt64LE(16), bytes.readBigUInt64LE(24)], [2n, 2n]);
    assert.deepEqual([bytes.readUInt32LE(32), bytes.readUInt32LE(36)], [250_000_000, 250_000_000]);
  });

  it('keep the attributes that come with a name for as long as a stat takes, where nothing else is kept', () => {
    const bytes = encodeEntry(ATTRIBUTES, 0);
    assert.deepEqual([bytes.readBigUInt64LE(16), bytes.readBigUInt64LE(24)], [0n, 0n]);
    assert.deepEqual([bytes.readUInt32LE(32), bytes.readUInt32LE(36)], [0, 20_000_000]);
  });

  it('fill a listing with as many entries as fit, padded to 8 bytes, each with its cookie', () => {
    const entries: DirectoryEntry[] = [
      { name: '.', inode: 1, kind: 'directory', cookie: 1 },
      { name: 'a\xffb', inode: 2, kind: 'file', cookie: 30 },
      { name: 'left out', inode: 3, kind: 'file', cookie: 31 },
    ];
    const { body } = encodeDirectory(entries, 32 + 32 + 16);
    const bytes = Buffer.from(body[0] ?? []);
    assert.equal(bytes.length, 64);
    assert.deepEqual([bytes.readBigUInt64LE(32), bytes.readBigUInt64LE(40)], [2n, 30n]);
    assert.deepEqual([bytes.readUInt32LE(48), bytes.readUInt32LE(52)], [3, 8]);
    assert.equal(bytes.subarray(56, 64).toString('hex'), '61ff620000000000');
  });

  it('count lookups only for entries with attributes', () => {
    const entries: DirectoryEntry[] = [
      { name: '.', inode: 1, kind: 'directory', cookie: 1 },
      { name: 'f', inode: ATTRIBUTES.inode, kind: 'file', cookie: 3, attributes: ATTRIBUTES },
    ];
    const { body, lookedUp } = encodeDirectory(entries, 4096, 1000);
    assert.deepEqual(lookedUp, [{ name: 'f', attributes: ATTRIBUTES }]);
    assert.equal(Buffer.from(body[0] ?? []).readBigUInt64LE(0), 0n, 'the dot has no node');
  });

  it('ask only for features that the kernel offers', () => {
    const [body] = encodeInit({
      minor: 45,
      locks: false,
      maximumReadaheadBytes: 4096,
      offeredFlags: InitFlag.MAX_PAGES | (1 << 16),
      offeredHighFlags: HighInitFlag.DIRECT_IO_ALLOW_MMAP | 1,
    });
    const bytes = Buffer.from(body ?? []);
    assert.equal(bytes.readUInt32LE(12), InitFlag.MAX_PAGES);
    assert.deepEqual([bytes.readUInt32LE(0), bytes.readUInt32LE(4)], [7, 38]);
    assert.equal(bytes.readUInt16LE(28), 256);
    assert.equal(bytes.readUInt32LE(32), HighInitFlag.DIRECT_IO_ALLOW_MMAP);
  });

  it('ask for attributes with every part of a listing, not with the first one alone', () => {
    const readdirplusAuto = 1 << 14;
    const [body] = encodeInit({
      minor: 45,
      locks: false,
      maximumReadaheadBytes: 4096,
      offeredFlags: InitFlag.DO_READDIRPLUS | readdirplusAuto,
      offeredHighFlags: 0,
    });
    assert.equal(Buffer.from(body ?? []).readUInt32LE(12), InitFlag.DO_READDIRPLUS);
  });

  it('tell free space in blocks', () => {
    const [body] = encodeStatfs({ blockSizeBytes: 4096, totalBytes: 2 ** 60, freeBytes: 8191, files: 10 });
    const bytes = Buffer.from(body ?? []);
    assert.deepEqual([bytes.readBigUInt64LE(0), bytes.readBigUInt64LE(8)], [2n ** 48n, 1n]);
  });

  it('invalidate attributes without touching pages, and content from the first byte', () => {
    const [attributes] = encodeInvalidation(9, 'attributes');
    const [content] = encodeInvalidation(9, 'content');
    assert.equal(Buffer.from(attributes ?? []).readBigInt64LE(24), -1n);
    assert.equal(Buffer.from(content ?? []).readBigInt64LE(24), 0n);
  });

  it('know the kinds of st_mode', () => {
    assert.deepEqual(
      [kindOf(0o100644), kindOf(0o644), kindOf(0o010600), kindOf(0o170000)],
      ['file', 'file', 'fifo', undefined],
    );
  });
});
