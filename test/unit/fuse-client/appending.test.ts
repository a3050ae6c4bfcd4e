// O_APPEND: where bytes go is known when they are stored, since other mounts
// append too.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Opcode } from '../../../src/fuse-client/kernel/codec/layout.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import { settle } from '../../support/manual-clock.js';
import { CALLER, contentOf, Flags, fixture, stored, uninterrupted } from './fixture.js';
import { requestBytes, u32, u64 } from './request-bytes.js';
import { sessionOver } from './session-fixture.js';

describe('the write-back buffer of a file that is open for appending', () => {
  it('appends where the file really ends, and makes the kernel forget its older idea', async () => {
    const parts = fixture();
    const inode = await stored(parts, 'f', '12345');
    const { handle } = await parts.operations.files.open(inode, Flags.WRITE | Flags.APPEND);
    await parts.operations.content.write(handle, 2, Buffer.from('6'), {}, uninterrupted);
    await parts.operations.files.flush(handle);
    assert.equal(await contentOf(parts, inode), '123456');
    assert.deepEqual(parts.forgotten, [`content:${inode}`]);
  });

  it('takes no size with its own appends, as a listing shows it, for appends of others', async () => {
    const parts = fixture();
    for (const name of ['a', 'b', 'c']) await stored(parts, name.repeat(200), '');
    const inode = await stored(parts, 'f', '0123');
    const { handle } = await parts.operations.files.open(inode, Flags.WRITE | Flags.APPEND);
    await parts.operations.content.write(handle, 4, Buffer.from('own'), {}, uninterrupted);
    const { receive, replies } = sessionOver(parts);
    receive(requestBytes({ opcode: Opcode.OPENDIR }, u32(0, 0)));
    await settle();
    const listing = replies.at(-1)?.body.readBigUInt64LE(0) ?? 0n;
    // Entries are fetched that do not fit the reply, and wait for the next.
    for (const after of [2, 3, 4]) {
      receive(requestBytes({ opcode: Opcode.READDIRPLUS }, u64(listing, after), u32(512, 0), u64(0), u32(0, 0)));
      await settle();
      assert.equal(replies.at(-1)?.error, 0);
      assert.equal((await parts.operations.names.lookup(ROOT_INODE, 'f')).sizeBytes, 7);
    }
    await parts.operations.files.flush(handle);
    assert.equal(await contentOf(parts, inode), '0123own');
  });

  it('puts pages of a mapping where they belong, also when they come with a file that is open for appending', async () => {
    const parts = fixture();
    const inode = await stored(parts, 'f', '12345');
    const { handle } = await parts.operations.files.open(inode, Flags.BOTH | Flags.APPEND);
    await parts.operations.content.write(handle, 0, Buffer.from('page!'), { ofPages: true }, uninterrupted);
    await parts.operations.files.flush(handle);
    assert.equal(await contentOf(parts, inode), 'page!');
  });

  it('appends behind what others have appended by the time it is stored', async () => {
    const parts = fixture();
    const { operations, files } = parts;
    const inode = await stored(parts, 'f', '0123');
    const other = async (text: string) => {
      const { sizeBytes } = await files.getattr({ inode });
      await files.write({ inode, extents: [{ offset: sizeBytes, data: Buffer.from(text) }], modifyTimeNs: 1n });
    };
    const { handle } = await operations.files.open(inode, Flags.BOTH | Flags.APPEND);
    const plain = await operations.files.open(inode, Flags.WRITE);
    await operations.content.write(plain.handle, 2, Buffer.from('__'), {}, uninterrupted);
    await operations.content.write(handle, 4, Buffer.from('own-1,'), {}, uninterrupted);
    await operations.content.write(handle, 10, Buffer.from('own-2,'), {}, uninterrupted);
    await other('theirs-1,');
    parts.forgotten.length = 0;
    await operations.files.fsync(handle);
    assert.equal(await contentOf(parts, inode), '01__theirs-1,own-1,own-2,');
    assert.deepEqual(parts.forgotten, [`content:${inode}`]);
    await operations.content.write(handle, 25, Buffer.from('own-3,'), {}, uninterrupted);
    await other('theirs-2,');
    // What is heard of before it is stored is seen so at once.
    await operations.names.lookup(ROOT_INODE, 'f');
    await operations.content.write(handle, 31, Buffer.from('own-4,'), {}, uninterrupted);
    const seen = await operations.content.read(handle, 25, 99, uninterrupted);
    assert.equal(Buffer.concat(seen).toString(), 'theirs-2,own-3,own-4,');
    await operations.files.flush(handle);
    assert.equal(await contentOf(parts, inode), '01__theirs-1,own-1,own-2,theirs-2,own-3,own-4,');
  });

  for (const theirs of ['', 'theirs,']) {
    it(`takes the size before a cut that is on its way for no append of others (who append '${theirs}')`, async () => {
      const parts = fixture();
      const { operations, files } = parts;
      const inode = await stored(parts, 'f', '0123456789');
      const { handle } = await operations.files.open(inode, Flags.BOTH | Flags.APPEND);
      const plain = await operations.files.open(inode, Flags.WRITE);
      await operations.attributes.set(inode, { sizeBytes: 0 }, CALLER, { handle });
      await operations.content.write(handle, 10, Buffer.from('one,'), {}, uninterrupted);
      let letGo = () => {};
      const held = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      const write = files.write.bind(files);
      Object.assign(files, {
        write: async (request: Parameters<typeof write>[0]) => {
          await held;
          const result = await write(request);
          // Theirs comes right behind the cut and what went with it, before that is answered.
          if (theirs !== '') {
            const extents = [{ offset: result.sizeBytes, data: Buffer.from(theirs) }];
            await write({ inode, extents, modifyTimeNs: 1n });
            await operations.names.lookup(ROOT_INODE, 'f');
          }
          Object.assign(files, { write });
          return result;
        },
      });
      const syncing = operations.files.fsync(handle);
      await operations.content.write(handle, 4, Buffer.from('two,'), {}, uninterrupted);
      const { sizeBytes } = await operations.names.lookup(ROOT_INODE, 'f');
      assert.equal(sizeBytes, 8);
      const seen = await operations.content.read(handle, 0, 99, uninterrupted);
      assert.equal(Buffer.concat(seen).toString(), 'one,two,');
      letGo();
      await syncing;
      // Bytes for a place, not for the end: they lie where the file has theirs by now.
      await operations.content.write(plain.handle, 4, Buffer.from('XX'), {}, uninterrupted);
      await operations.files.fsync(handle);
      assert.equal(await contentOf(parts, inode), `one,XX${`${theirs}two,`.slice(2)}`);
    });
  }

  it('makes the kernel forget what was appended to a file that others have cut by the time it is stored', async () => {
    const parts = fixture();
    const { operations, files } = parts;
    const inode = await stored(parts, 'f', '0123');
    const { handle } = await operations.files.open(inode, Flags.BOTH | Flags.APPEND);
    await operations.content.write(handle, 4, Buffer.from('own'), {}, uninterrupted);
    await files.setattr({ inode, changes: { sizeBytes: 0 }, caller: CALLER });
    parts.forgotten.length = 0;
    await operations.files.fsync(handle);
    assert.equal(await contentOf(parts, inode), 'own');
    assert.deepEqual(parts.forgotten, [`content:${inode}`]);
  });

  it('cuts no append in two where others could append between', async () => {
    const parts = fixture();
    const { operations, files } = parts;
    const inode = await stored(parts, 'f', '');
    const lengths: number[] = [];
    const { write } = files;
    Object.assign(files, {
      write: (request: Parameters<typeof write>[0]) => {
        lengths.push(request.extents.reduce((sum, { data }) => sum + data.length, 0));
        return write.call(files, request);
      },
    });
    const { handle } = await operations.files.open(inode, Flags.WRITE | Flags.APPEND);
    const size = 100_000;
    for (let count = 0; count < 150; count++) {
      await operations.content.write(handle, 0, Buffer.alloc(size, count), {}, uninterrupted);
    }
    await operations.files.flush(handle);
    assert.ok(lengths.length > 2);
    assert.deepEqual(
      lengths.filter((length) => length % size !== 0),
      [],
    );
  });

  it('appends to what it has cut where the cut says', async () => {
    const parts = fixture();
    const { operations } = parts;
    const inode = await stored(parts, 'f', 'long content');
    const { handle } = await operations.files.open(inode, Flags.WRITE | Flags.TRUNCATE | Flags.APPEND);
    await operations.content.write(handle, 0, Buffer.from('abcdef'), {}, uninterrupted);
    await operations.files.flush(handle);
    await operations.content.write(handle, 6, Buffer.from('ghi'), {}, uninterrupted);
    await operations.attributes.set(inode, { sizeBytes: 3 }, CALLER, { handle });
    await operations.content.write(handle, 3, Buffer.from('xyz'), {}, uninterrupted);
    await operations.files.flush(handle);
    assert.equal(await contentOf(parts, inode), 'abcxyz');
  });
});
