// A database that has to be opened anew while it serves, over a disk that refuses now and then.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { Storage } from '../../../src/metaserver/engine/storage.js';
import { lmdbEngine } from '../../../src/metaserver/storage/lmdb-engine.js';
import type { DiskFile } from '../../../src/runtime/disk.js';
import { nodeDisk } from '../../../src/runtime/node/disk.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { TestRuntime } from './harness.js';

/** lmdb.h: MDB_PANIC. */
const PANIC = -30_795;
/** More rows than are written in one turn of the event loop. */
const MANY_ROWS = 1000;

/** The real disk, which refuses what a test says, so many times. */
class RefusingDisk {
  /** Writes that find LMDB's file broken, as LMDB says it. */
  panics = 0;
  /** Syncs of the folder. */
  syncs = 0;
  opened = 0;

  readonly runtime: Runtime = Object.assign(new TestRuntime(), {
    disk: {
      ...nodeDisk,
      syncDirectory: async () => {
        if (this.syncs-- > 0) throw Object.assign(new Error('EIO: refused'), { code: 'EIO' });
      },
      open: async (path: string, mode: 'create' | 'existing' | 'reading') => {
        this.opened++;
        const file = await nodeDisk.open(path, mode);
        const writeNow: DiskFile['writeNow'] = (chunks, position) => {
          if (this.panics-- > 0) throw Object.assign(new Error('MDB_PANIC'), { code: PANIC });
          file.writeNow(chunks, position);
        };
        return new Proxy(file, {
          get: (target, name) => {
            const member: unknown = name === 'writeNow' ? writeNow : Reflect.get(target, name);
            return typeof member === 'function' ? member.bind(target) : member;
          },
        });
      },
    },
  });
}

const value = (text: string) => new Map([['key', Buffer.from(text)]]);

function read(storage: Storage): string {
  return Buffer.from(storage.get('key') ?? []).toString();
}

describe('LMDB, broken while it serves', () => {
  let directory: string;
  let disk: RefusingDisk;
  let storage: Storage;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nmrfs-lmdb-'));
    disk = new RefusingDisk();
    storage = await lmdbEngine(directory, disk.runtime);
    await storage.write(new Map(Array.from({ length: MANY_ROWS }, (_, n) => [`row${n}`, Buffer.from('many')])));
    await storage.write(value('before'));
    disk.panics = 1;
    await assert.rejects(storage.write(value('lost')));
    assert.equal(read(storage), 'before');
  });

  afterEach(async () => {
    await storage.close();
    await rm(directory, { recursive: true });
  });

  it('is opened anew by the next write, and what was stored is there', async () => {
    const { opened } = disk;
    await storage.write(value('after'));
    assert.equal(disk.opened, opened + 1);
    assert.equal(read(storage), 'after');
    assert.equal(storage.scan('row', 'rox', MANY_ROWS).length, MANY_ROWS);
  });

  it('says to whoever reads meanwhile that he shall ask again', async () => {
    const writing = storage.write(value('after'));
    assert.throws(() => storage.get('key'), { code: 'UNREACHABLE' });
    await writing;
    assert.equal(read(storage), 'after');
  });

  it('is read when opening it for writing fails, which the next write tries again, with room taken ahead', async () => {
    const { opened } = disk;
    disk.syncs = 1;
    await assert.rejects(storage.write(value('refused')), { code: 'EIO' });
    assert.equal(read(storage), 'before');
    assert.equal(disk.opened, opened);
    await storage.write(value('after'));
    assert.equal(disk.opened, opened + 1, 'room ahead');
    assert.equal(read(storage), 'after');
  });
});
