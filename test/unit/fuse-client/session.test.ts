import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { OPEN_REPLY_DIRECT_IO, Opcode, SetattrFlag } from '../../../src/fuse-client/kernel/codec/layout.js';
import { hasKillPending } from '../../../src/fuse-client/kernel/killed.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import { settle } from '../../support/manual-clock.js';
import { contentOf, Flags, fixture, stored } from './fixture.js';
import { PROCESS_ID, requestBytes, text, u32, u64 } from './request-bytes.js';
import { sessionOver } from './session-fixture.js';

const ERRNO = {
  EIO: 5,
  ENOENT: 2,
  EINTR: 4,
  ENXIO: 6,
  EFBIG: 27,
  ENODATA: 61,
  EAGAIN: 11,
  EINVAL: 22,
  ERANGE: 34,
  ENOSYS: 38,
  ENOTSUP: 95,
  ESTALE: 116,
};

describe('a kernel session', () => {
  it('greets with its own version and says that it is ready', () => {
    const { receive, replies, isReady } = sessionOver(fixture());
    receive(requestBytes({ opcode: Opcode.INIT }, u32(7, 45, 131072, 0xffffffff, 0xffffffff)));
    assert.equal(replies[0]?.error, 0);
    assert.equal(replies[0]?.body.readUInt32LE(4), 38);
    assert.ok(isReady());
  });

  it('refuses a kernel that is too old, with a log line', () => {
    const parts = fixture();
    const { receive, replies, isReady } = sessionOver(parts);
    receive(requestBytes({ opcode: Opcode.INIT }, u32(7, 12, 0, 0)));
    assert.equal(replies[0]?.error, -ERRNO.EIO);
    assert.ok(!isReady());
    assert.equal(parts.log.named('mount.protocol').length, 1);
  });

  it('answers a malformed request EIO with a log line and goes on', async () => {
    const parts = fixture();
    const { receive, replies } = sessionOver(parts);
    receive(requestBytes({ opcode: Opcode.LOOKUP, unique: 4 }, Buffer.from('no end')));
    receive(Buffer.alloc(3));
    receive(requestBytes({ opcode: Opcode.STATFS, unique: 6 }));
    await settle();
    assert.deepEqual(
      replies.map(({ unique, error }) => [unique, error]),
      [
        [4, -ERRNO.EIO],
        [6, 0],
      ],
    );
    assert.equal(parts.log.named('mount.malformed').length, 2);
  });

  it('answers what it does not know ENOSYS, which the kernel remembers', () => {
    const { receive, replies } = sessionOver(fixture());
    receive(requestBytes({ opcode: 9999 }));
    assert.deepEqual(
      replies.map(({ error }) => error),
      [-ERRNO.ENOSYS],
    );
  });

  it('refuses what it cannot do to a range of a file, and ranges behind the largest file', async () => {
    const parts = fixture();
    const { receive, replies } = sessionOver(parts);
    await stored(parts, 'f', 'content');
    const inode = 2;
    receive(requestBytes({ opcode: Opcode.OPEN, inode }, u32(Flags.BOTH, 0)));
    await settle();
    const handle = replies[0]?.body.readUInt32LE(0) ?? 0;
    const huge = 2n ** 63n - 2n;
    const fallocate = (offset: number | bigint, length: number | bigint, mode: number) => ({
      opcode: Opcode.FALLOCATE,
      pieces: [u64(handle, offset, length), u32(mode, 0)],
    });
    const table = [
      // COLLAPSE_RANGE, INSERT_RANGE, UNSHARE_RANGE, a hole that changes the size, and what is yet to come.
      ...[0x08, 0x20, 0x40, 0x02, 0x80].map((mode) => ({ ...fallocate(0, 1, mode), error: ERRNO.ENOTSUP })),
      { ...fallocate(0, 0, 0), error: ERRNO.EINVAL },
      { ...fallocate(huge, 1, 0), error: ERRNO.EFBIG },
      { ...fallocate(huge, 1, 3), error: 0 },
      { ...fallocate(0, huge, 16), error: ERRNO.EFBIG },
      { opcode: Opcode.LSEEK, pieces: [u64(handle, huge), u32(3, 0)], error: ERRNO.ENXIO },
      { opcode: Opcode.LSEEK, pieces: [u64(handle, 0), u32(7, 0)], error: ERRNO.EINVAL },
      { opcode: Opcode.READ, pieces: [u64(handle, huge), u32(10, 0), u64(0), u32(0, 0)], error: 0 },
      {
        opcode: Opcode.WRITE,
        pieces: [u64(handle, huge), u32(1, 0), u64(0), u32(0, 0), Buffer.alloc(1)],
        error: ERRNO.EFBIG,
      },
      {
        opcode: Opcode.SETATTR,
        pieces: [u32(SetattrFlag.SIZE, 0), u64(0, huge, 0, 0, 0, 0), u32(0, 0, 0, 0, 0, 0, 0, 0)],
        error: ERRNO.EFBIG,
      },
    ];
    for (const { opcode, pieces, error } of table) {
      receive(requestBytes({ opcode, inode }, ...pieces));
      await settle();
      assert.equal(Math.abs(replies.at(-1)?.error ?? 1), error, `${opcode} ${Buffer.concat(pieces).toString('hex')}`);
    }
    assert.equal(replies.length, 1 + table.length);
    assert.equal(await contentOf(parts, inode), 'content');
  });

  it('answers a handler that throws something odd EIO, with its stack in the log', async () => {
    const parts = fixture();
    parts.files.statfs = () => {
      throw new TypeError('a mistake');
    };
    const { receive, replies } = sessionOver(parts);
    receive(requestBytes({ opcode: Opcode.STATFS }));
    await settle();
    assert.equal(replies[0]?.error, -ERRNO.EIO);
    assert.match(String(parts.log.named('mount.failed')[0]?.error), /a mistake/);
  });

  it('lets a request end by itself after an interrupt, and gives up one that hangs', async () => {
    const parts = fixture();
    const { receive, replies } = sessionOver(parts);
    await stored(parts, 'f', 'content');
    parts.files.faults = { hang: ['lookup'] };
    receive(requestBytes({ opcode: Opcode.LOOKUP, unique: 10 }, text('f')));
    receive(requestBytes({ opcode: Opcode.INTERRUPT, unique: 11 }, u64(10)));
    await parts.clock.advance(999);
    assert.deepEqual(replies, []);
    await parts.clock.advance(1);
    assert.deepEqual(
      replies.map(({ unique, error }) => [unique, error]),
      [[10, -ERRNO.EINTR]],
    );
    parts.files.faults = {};
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(replies.length, 1, 'the late result is not sent');
  });

  it('gives back the memory of what was read when it has sent it, or nobody waits for it any more', async () => {
    const parts = fixture();
    const { receive, replies } = sessionOver(parts);
    const content = 'x'.repeat(100_000);
    const inode = await stored(parts, 'f', content);
    const { handle } = await parts.operations.files.open(inode, Flags.READ);
    const read = (unique: number) =>
      receive(requestBytes({ opcode: Opcode.READ, unique, inode }, u64(handle, 0), u32(content.length, 0, 0, 0, 0, 0)));
    read(10);
    await settle();
    assert.equal(replies.at(-1)?.body.toString(), content);
    assert.equal(parts.files.lender.outstanding, 0);

    // A service that answers all the same.
    const { lender } = parts.files;
    const answer = parts.files.read.bind(parts.files);
    let goOn = () => {};
    parts.files.read = async (request) => {
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
      return answer(request);
    };
    read(12);
    receive(requestBytes({ opcode: Opcode.INTERRUPT, unique: 13 }, u64(12)));
    await parts.clock.advance(1000);
    assert.equal(replies.at(-1)?.error, -ERRNO.EINTR);
    const before = parts.files.calls.read;
    goOn();
    await settle();
    assert.equal(parts.files.calls.read, (before ?? 0) + 1);
    assert.equal(lender.outstanding, 0);
  });

  it('gives up a change only when its program is being killed', async () => {
    const parts = fixture();
    const { receive, replies, killed } = sessionOver(parts);
    parts.files.faults = { hang: ['mkdir'] };
    receive(requestBytes({ opcode: Opcode.MKDIR, unique: 10 }, u32(0o755, 0), text('d')));
    receive(requestBytes({ opcode: Opcode.INTERRUPT, unique: 11 }, u64(10)));
    await parts.clock.advance(5000);
    await settle();
    assert.deepEqual(replies, []);
    killed.add(PROCESS_ID);
    await parts.clock.advance(1000);
    await settle();
    assert.deepEqual(
      replies.map(({ unique, error }) => [unique, error]),
      [[10, -ERRNO.EINTR]],
    );
    parts.files.faults = {};
  });

  it('knows a program that is being killed by the signals that it has pending', () => {
    const status = (pending: string) => `Name:\tcat\nSigQ:\t0/9\nSigPnd:\t${pending}\nShdPnd:\t0000000000000100\n`;
    assert.equal(hasKillPending(status('0000000000000100')), true);
    assert.equal(hasKillPending(status('0000000000000002')), false);
    assert.equal(hasKillPending(''), false);
  });

  it('closes a file again when its open was given up', async () => {
    const parts = fixture();
    const { receive, replies } = sessionOver(parts);
    const inode = await stored(parts, 'f', 'content');
    parts.files.faults = { hang: ['open'] };
    receive(requestBytes({ opcode: Opcode.OPEN, unique: 20, inode }, u32(1, 0)));
    receive(requestBytes({ opcode: Opcode.INTERRUPT, unique: 21 }, u64(20)));
    await parts.clock.advance(1000);
    assert.equal(replies[0]?.error, -ERRNO.EINTR);
    parts.files.faults = {};
    await new Promise((resolve) => setTimeout(resolve, 20));
    await parts.operations.names.unlink(ROOT_INODE, 'f');
    await assert.rejects(parts.files.getattr({ inode }), { code: 'ENOENT' });
  });

  it('cuts nothing when an open with O_TRUNC was given up', async () => {
    const parts = fixture();
    const { receive } = sessionOver(parts);
    const inode = await stored(parts, 'f', 'content');
    parts.files.faults = { hang: ['open'] };
    receive(requestBytes({ opcode: Opcode.OPEN, unique: 20, inode }, u32(Flags.WRITE | Flags.TRUNCATE, 0)));
    receive(requestBytes({ opcode: Opcode.INTERRUPT, unique: 21 }, u64(20)));
    await parts.clock.advance(1000);
    parts.files.faults = {};
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(await contentOf(parts, inode), 'content');
  });

  it('has the kernel send each write whole, past its page cache, of a file that is open for appending only', async () => {
    const [write, append] = [1, 0o2000];
    for (const [flags, isDirect] of [
      [write | append, true],
      [write, false],
      [Flags.BOTH | append, false],
      [Flags.READ, false],
      [Flags.BOTH | 0o40000, true],
    ] as const) {
      const parts = fixture();
      const { receive, replies } = sessionOver(parts);
      const inode = await stored(parts, 'f', 'content');
      receive(requestBytes({ opcode: Opcode.OPEN, inode }, u32(flags, 0)));
      await settle();
      assert.equal(((replies[0]?.body.readUInt32LE(8) ?? 0) & OPEN_REPLY_DIRECT_IO) !== 0, isDirect, `flags ${flags}`);
    }
  });

  it('asks the kernel to repeat an interrupt whose request is not here yet', () => {
    const { receive, replies } = sessionOver(fixture());
    receive(requestBytes({ opcode: Opcode.INTERRUPT, unique: 31 }, u64(30)));
    assert.deepEqual([replies[0]?.unique, replies[0]?.error], [31, -ERRNO.EAGAIN]);
  });

  it('never answers FORGET', () => {
    const { receive, replies } = sessionOver(fixture());
    receive(requestBytes({ opcode: Opcode.FORGET, inode: 5 }, u64(1)));
    receive(requestBytes({ opcode: Opcode.BATCH_FORGET }, u32(1, 0), u64(6, 1)));
    assert.deepEqual(replies, []);
  });

  it('keeps the buffer of a long write and copies a short one', async () => {
    const parts = fixture();
    const inode = await stored(parts, 'f', '');
    const { receive, replies } = sessionOver(parts);
    receive(requestBytes({ opcode: Opcode.OPEN, inode }, u32(1, 0)));
    await settle();
    const handle = replies[0]?.body.readBigUInt64LE(0) ?? 0n;
    const write = (length: number) =>
      requestBytes(
        { opcode: Opcode.WRITE, inode },
        u64(handle, 0),
        u32(length, 0),
        u64(0),
        u32(0, 0),
        Buffer.alloc(length),
      );
    assert.equal(receive(write(4096)), false);
    assert.equal(receive(write(2 ** 20)), true);
  });

  it('tells the kernel at an open that its attributes are outdated', async () => {
    const parts = fixture();
    const { receive } = sessionOver(parts);
    const inode = await stored(parts, 'f', 'one');
    receive(requestBytes({ opcode: Opcode.LOOKUP }, text('f')));
    await settle();
    const open = requestBytes({ opcode: Opcode.OPEN, inode }, u32(0, 0));
    receive(open);
    await settle();
    assert.deepEqual(parts.forgotten, []);
    await parts.files.write({ inode, extents: [{ offset: 0, data: Buffer.from('from elsewhere') }], modifyTimeNs: 9n });
    receive(open);
    await settle();
    assert.deepEqual(parts.forgotten, [`attributes:${inode}`]);
  });

  it('answers sizes and ERANGE for extended attributes, and ENOTSUP for those that it does not keep', async () => {
    const parts = fixture();
    const { receive, replies } = sessionOver(parts);
    const set = (unique: number, name: string) =>
      requestBytes({ opcode: Opcode.SETXATTR, unique }, u32(3, 0), text(name), Buffer.from('abc'));
    const get = (unique: number, room: number) =>
      requestBytes({ opcode: Opcode.GETXATTR, unique }, u32(room, 0), text('user.k'));
    receive(set(1, 'user.k'));
    await settle();
    receive(get(2, 0));
    receive(get(3, 2));
    receive(get(4, 3));
    receive(set(5, 'system.unknown'));
    await settle();
    replies.sort((left, right) => left.unique - right.unique);
    assert.deepEqual(
      replies.map(({ error }) => error),
      [0, 0, -ERRNO.ERANGE, 0, -ERRNO.ENOTSUP],
    );
    assert.equal(replies[1]?.body.readUInt32LE(0), 3);
    assert.equal(replies[3]?.body.toString(), 'abc');
  });

  it('asks for a capability only where there is an extended attribute, and takes it from a file that is cut', async () => {
    const parts = fixture();
    const { receive, replies } = sessionOver(parts);
    const inode = await stored(parts, 'f', 'content');
    const last = async (opcode: number, ...pieces: Buffer[]) => {
      receive(requestBytes({ opcode, inode }, ...pieces));
      await settle();
      return Math.abs(replies.at(-1)?.error ?? 1);
    };
    const get = () => last(Opcode.GETXATTR, u32(64, 0), text('security.capability'));
    const asked = () => parts.files.calls.getxattr ?? 0;
    assert.equal(await get(), ERRNO.ENODATA);
    assert.equal(asked(), 0);
    assert.equal(await last(Opcode.SETXATTR, u32(3, 0), text('security.capability'), Buffer.from('cap')), 0);
    assert.equal(await get(), 0);
    assert.equal(asked(), 1);
    await parts.operations.files.open(inode, Flags.WRITE | Flags.TRUNCATE);
    assert.equal(await get(), ERRNO.ENODATA);
    assert.equal(asked(), 2);
  });

  it('takes a capability before bytes are appended past the page cache, where the kernel does not', async () => {
    const parts = fixture();
    const { operations, files } = parts;
    const inode = await stored(parts, 'f', 'content');
    const { handle } = await operations.files.open(inode, Flags.WRITE | Flags.APPEND);
    const append = () => operations.content.write(handle, 7, Buffer.from('+'), {}, () => new AbortController().signal);
    await append();
    assert.equal(files.calls.getxattr ?? 0, 0);
    await operations.extendedAttributes.set(inode, 'security.capability', Buffer.from('cap'), 'set');
    await operations.extendedAttributes.set(inode, 'user.kept', Buffer.from('kept'), 'set');
    await append();
    assert.deepEqual(await operations.extendedAttributes.list(inode), ['user.kept']);
  });

  it('refuses rename flags that it does not know', async () => {
    const parts = fixture();
    const { receive, replies } = sessionOver(parts);
    receive(requestBytes({ opcode: Opcode.RENAME2 }, u64(1), u32(8, 0), text('a'), text('b')));
    await settle();
    assert.equal(replies[0]?.error, -ERRNO.EINVAL);
  });

  it('answers for a directory that is gone until the kernel forgets it: no link, no entries, what is set', async () => {
    const parts = fixture();
    const { receive, replies } = sessionOver(parts);
    const { inode } = await parts.operations.names.mkdir(
      ROOT_INODE,
      'd',
      { mode: 0o755, umask: 0 },
      { uid: 0, gid: 0 },
    );
    const ask = async (opcode: number, ...rest: Buffer[]) => {
      receive(requestBytes({ opcode, inode }, ...rest));
      await settle();
      return replies.pop();
    };
    receive(requestBytes({ opcode: Opcode.LOOKUP }, text('d')));
    await settle();
    const handle = (await ask(Opcode.OPENDIR, u32(0, 0)))?.body.readBigUInt64LE(0) ?? 0n;
    await parts.operations.names.rmdir(ROOT_INODE, 'd');
    const getattr = async () => ask(Opcode.GETATTR, u32(0, 0), u64(0));
    const seen = async () => {
      const reply = await getattr();
      return [reply?.error, reply?.body.readUInt32LE(16 + 60), reply?.body.readUInt32LE(16 + 64)];
    };
    assert.deepEqual(await seen(), [0, 0o40755, 0]);
    const mode = u32(SetattrFlag.MODE, 0, ...Array.from({ length: 15 }, () => 0), 0o40700, 0, 0, 0, 0);
    assert.equal((await ask(Opcode.SETATTR, mode))?.error, 0);
    assert.deepEqual(await seen(), [0, 0o40700, 0]);
    const listed = await ask(Opcode.READDIR, u64(handle, 0), u32(4096, 0), u64(0), u32(0, 0));
    assert.deepEqual([listed?.error, listed?.body.length], [0, 0]);
    assert.equal((await ask(Opcode.LISTXATTR, u32(100, 0)))?.error, 0);
    assert.equal((await ask(Opcode.GETXATTR, u32(100, 0), text('user.x')))?.error, -ERRNO.ENODATA);
    assert.equal((await ask(Opcode.LOOKUP, text('new')))?.error, -ERRNO.ENOENT);
    receive(requestBytes({ opcode: Opcode.FORGET, inode }, u64(1)));
    assert.equal((await getattr())?.error, -ERRNO.ESTALE);
  });

  it('lists a directory over several requests, each entry once', async () => {
    const parts = fixture();
    const { receive, replies } = sessionOver(parts);
    for (let index = 0; index < 300; index++) await stored(parts, `file-${index}`, '');
    receive(requestBytes({ opcode: Opcode.OPENDIR }, u32(0, 0)));
    await settle();
    const handle = replies.pop()?.body.readBigUInt64LE(0) ?? 0n;
    const names: string[] = [];
    for (let cookie = 0n; ; ) {
      receive(requestBytes({ opcode: Opcode.READDIR }, u64(handle, cookie), u32(1000, 0), u64(0), u32(0, 0)));
      await settle();
      const body = replies.pop()?.body ?? Buffer.alloc(0);
      if (body.length === 0) break;
      for (let at = 0; at < body.length; ) {
        const length = body.readUInt32LE(at + 16);
        names.push(body.toString('latin1', at + 24, at + 24 + length));
        cookie = body.readBigUInt64LE(at + 8);
        at += (24 + length + 7) & ~7;
      }
    }
    assert.equal(names.length, 302);
    assert.equal(new Set(names).size, 302);
    assert.deepEqual(names.slice(0, 2), ['.', '..']);
  });
});
