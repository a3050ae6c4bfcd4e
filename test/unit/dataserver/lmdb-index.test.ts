import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';
import { lmdbIndex } from '../../../src/dataserver/index/lmdb-index.js';
import type { Disk, DiskFile } from '../../../src/runtime/disk.js';
import { nodeDisk } from '../../../src/runtime/node/disk.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { run } from '../../support/cluster.js';

const PROGRAM = fileURLToPath(new URL('./emptying-process.js', import.meta.url));

const row = (number: number) => ({ key: Buffer.from(`key ${number}`), value: Buffer.alloc(400, number) });

/** Where nothing can be written up to an `end` that is refused. */
function diskThatRefuses(refuses: (end: number) => boolean): Disk {
  return {
    ...nodeDisk,
    open: async (path, mode) => {
      const file = await nodeDisk.open(path, mode);
      const writeNow: DiskFile['writeNow'] = (chunks, position) => {
        const end = chunks.reduce((sum, chunk) => sum + chunk.length, position);
        if (refuses(end)) throw Object.assign(new Error('no room'), { code: 'ENOSPC' });
        file.writeNow(chunks, position);
      };
      const wrapped: DiskFile = {
        readNow: (target, position) => file.readNow(target, position),
        read: (target, position) => file.read(target, position),
        readDirect: (target, position) => file.readDirect(target, position),
        writeNow,
        directMemory: (sizeBytes) => file.directMemory(sizeBytes),
        isCached: (position) => file.isCached(position),
        write: (chunks, position) => file.write(chunks, position),
        writeThrough: (chunks, position) => file.writeThrough(chunks, position),
        writeDirect: (source, position) => file.writeDirect(source, position),
        sync: () => file.sync(),
        truncate: (sizeBytes) => file.truncate(sizeBytes),
        sizeBytes: () => file.sizeBytes(),
        close: () => file.close(),
      };
      return wrapped;
    },
  };
}

describe('the index in LMDB', () => {
  it('takes the room of its pages beforehand, so that a full disk is an error and not the end of the process', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nmrfs-index-'));
    let isFull = false;
    const disk = diskThatRefuses(() => isFull);
    const index = await lmdbIndex(folder, { disk } as Runtime);
    try {
      index.write([row(1)]);
      const { blocks } = await stat(join(folder, 'data.mdb'));
      assert.ok(blocks * 512 >= 16 * 1024 * 1024, `${blocks * 512} bytes are taken`);
      isFull = true;
      const fill = () => {
        for (let from = 2; from < 100_000; from += 100)
          index.write(Array.from({ length: 100 }, (_, place) => row(from + place)));
      };
      assert.throws(fill, { code: 'ENOSPC' });
      assert.equal(index.get(Buffer.from('key 1'))?.length, 400);
      // What is too much at once is not too much for all: removals by hundreds and by one.
      for (let from = 2; from < 902; from += 300) {
        index.write(Array.from({ length: 300 }, (_, place) => ({ ...row(from + place), value: null })));
      }
      for (let number = 902; number < 1202; number++) index.write([{ ...row(number), value: null }]);
      assert.equal(index.get(Buffer.from('key 1201')), undefined);
      isFull = false;
      index.write([row(100_001)]);
      assert.equal(index.get(Buffer.from('key 100001'))?.length, 400);
    } finally {
      await index.close();
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('goes on with the room that a former life has taken, when the disk is full meanwhile', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nmrfs-index-'));
    let takenBytes = 0;
    let isFull = false;
    const disk = diskThatRefuses((end) => {
      if (!isFull) takenBytes = Math.max(takenBytes, end);
      return end > takenBytes;
    });
    try {
      for (let life = 1; life <= 3; life++) {
        const index = await lmdbIndex(folder, { disk } as Runtime);
        try {
          const rows = Array.from({ length: 100 }, (_, number) => row(life * 1000 + number));
          index.write(rows);
          assert.deepEqual(index.get(rows[99]?.key ?? Buffer.alloc(0)), rows[99]?.value);
        } finally {
          await index.close();
        }
        isFull = true;
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  // LMDB ends the process when it finds itself wrong, hence a process of its own.
  it('outlives the removal of its last row, however many there were', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nmrfs-index-'));
    try {
      const { status, stdout, stderr } = await run(process.execPath, [PROGRAM, folder], '/');
      assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '0 left\n', stderr: '' });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
