import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { FuseDevice } from '../../../src/fuse-client/kernel/device.js';
import { silentLog } from '../../../src/runtime/log.js';

describe('the FUSE device', () => {
  it('is closed only when the notifications on their way have ended', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nmrfs-test-'));
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
    try {
      // As the kernel makes a notification wait: nothing can be written before something is read.
      let filled = 0;
      assert.throws(
        () => {
          for (;;) filled += writeSync(reader, Buffer.alloc(4096));
        },
        { code: 'EAGAIN' },
      );
      const descriptor = openSync(pipe, 'r+');
      const device = new FuseDevice(descriptor, silentLog);
      void device.notify([Buffer.from('x')]);
      let isClosed = false;
      const closing = device.close().then(() => {
        isClosed = true;
      });
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(isClosed, false);
      assert.ok(fstatSync(descriptor).isFIFO());
      for (let read = 0; read < filled; ) read += readSync(reader, Buffer.alloc(65536), { length: 65536 });
      await closing;
      assert.throws(() => fstatSync(descriptor), { code: 'EBADF' });
    } finally {
      // Also after a failure: what still waits to be written would keep this process.
      assert.throws(
        () => {
          while (readSync(reader, Buffer.alloc(65536), { length: 65536 }) > 0);
        },
        { code: 'EAGAIN' },
      );
      closeSync(reader);
      rmSync(folder, { recursive: true });
    }
  });
});
