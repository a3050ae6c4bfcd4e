import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import { describe, it } from 'mocha';
import { nativeOperations } from '../../../src/fuse-client/fuse-native/native-operations.js';
import type { NativeInstance } from '../../../src/fuse-client/fuse-native/native-types.js';
import { PathResolver } from '../../../src/fuse-client/fuse-native/path-resolver.js';
import { repairUtimens } from '../../../src/fuse-client/fuse-native/utimens.js';
import { nameFromText, nameToText } from '../../../src/protocol/http/text.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import { RecordingLog } from '../../support/recording-log.js';
import { CALLER, Flags, fixture, stored } from './fixture.js';

/** An instance whose utimens tells which times it was given, in milliseconds. */
function instance(): { native: NativeInstance; given: number[][] } {
  const given: number[][] = [];
  const handlers: NativeInstance['_handlers'] = [];
  handlers[12] = (_request, _operation, _path, ...words) => {
    const [low, high, low2, high2] = words as [number, number, number, number];
    given.push([low + high * 2 ** 32, low2 + high2 * 2 ** 32]);
  };
  return { native: { mount() {}, unmount() {}, _handlers: handlers }, given };
}

describe('the fuse-native binding', () => {
  it('finds the modification time that the package leaves behind, before 1970 too', () => {
    const { native, given } = instance();
    repairUtimens(native, new RecordingLog());
    const request = Buffer.alloc(400);
    request.writeBigInt64LE(1_500_000_000_123n, 104);
    request.writeBigInt64LE(-1500n, 112);
    const access = [request.readUInt32LE(104), request.readUInt32LE(108)];
    native._handlers[12]?.(request, 12, '/f', ...access, ...access);
    assert.deepEqual(given, [[1_500_000_000_123, -1500]]);
  });

  it('takes the access time for both when the memory looks otherwise, with a log line', () => {
    const { native, given } = instance();
    const log = new RecordingLog();
    repairUtimens(native, log);
    native._handlers[12]?.(Buffer.alloc(400), 12, '/f', 5, 0, 5, 0);
    assert.deepEqual(given, [[5, 5]]);
    assert.equal(log.named('mount.utimens').length, 1);
  });

  it('finds inodes by paths, with one lookup per component for a while', async () => {
    const parts = fixture();
    const { operations, files, clock } = parts;
    const { inode: directory } = await operations.names.mkdir(ROOT_INODE, nameFromText('ä'), 0o755, CALLER);
    const paths = new PathResolver(operations, clock, 1000);
    assert.equal(await paths.inode(nameFromText('/ä')), directory);
    assert.equal(await paths.inode(nameFromText('/ä')), directory);
    assert.equal(files.calls.lookup, 1);
    await clock.advance(1000);
    assert.equal(await paths.inode(nameFromText('/ä')), directory);
    assert.equal(files.calls.lookup, 2);
    assert.equal(await paths.inode('/'), ROOT_INODE);
    const file = await stored(parts, 'f', '');
    assert.equal(await paths.inode('/f'), file);
    await operations.names.rename({ parent: ROOT_INODE, name: 'f' }, { parent: ROOT_INODE, name: 'g' }, 'replace');
    paths.forget();
    await assert.rejects(paths.inode('/f'), { code: 'ENOENT' });
    await assert.rejects(paths.parent('/'), { code: 'EBUSY' });
  });

  it('lays what it reads side by side, and gives its memory back', async () => {
    const parts = fixture();
    const content = randomBytes(50_000).toString('hex');
    const inode = await stored(parts, 'f', content);
    const { handle } = await parts.operations.files.open(inode, Flags.READ);
    const paths = new PathResolver(parts.operations, parts.clock, 1000);
    const { read } = nativeOperations(parts.operations, paths, CALLER, parts.log);
    const target = Buffer.alloc(128 * 1024);
    const bytes = await new Promise((resolve) => read('/f', handle, target, target.length, 0, resolve));
    assert.equal(bytes, content.length);
    assert.equal(target.toString('latin1', 0, content.length), content);
    assert.equal(parts.files.lender.outstanding, 0);
  });

  it('tells by one fsync of an open directory that changes of it were lost', async () => {
    const { operations, clock, files, log } = fixture();
    await operations.start();
    const paths = new PathResolver(operations, clock, 1000);
    const { opendir, fsyncdir, releasedir } = nativeOperations(operations, paths, CALLER, log);
    const [status, handle] = await new Promise<number[]>((resolve) => opendir('/', 0, (...answer) => resolve(answer)));
    assert.equal(status, 0);
    await operations.names.mkdir(ROOT_INODE, 'a', 0o755, CALLER);
    files.verifier = { mediator: 'another/0', history: 'another' };
    const sync = () => new Promise((resolve) => fsyncdir('/', 0, handle ?? 0, resolve));
    assert.deepEqual([await sync(), await sync()], [-constants.errno.EIO, 0]);
    assert.equal(await new Promise((resolve) => releasedir('/', handle ?? 0, resolve)), 0);
    assert.equal(await sync(), -constants.errno.EBADF);
  });

  it('keeps names that are UTF-8 as they are', () => {
    assert.equal(nameToText(nameFromText('ünï 漢字')), 'ünï 漢字');
  });
});
