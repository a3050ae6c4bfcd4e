import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { FuseDevice } from '../../../src/fuse-client/kernel/device/device.js';
import { silentLog } from '../../../src/runtime/log.js';

interface FullDevice {
  device: FuseDevice;
  descriptor: number;
  /** The kernel takes the notifications. */
  drain(): void;
}

/** With a device that makes a notification wait as the kernel does: nothing can be written before something is read. */
async function withFullDevice(test: (full: FullDevice) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'nmrfs-test-'));
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  const readAll = () => {
    while (readSync(reader, Buffer.alloc(65536), { length: 65536 }) > 0);
  };
  try {
    let filled = 0;
    assert.throws(
      () => {
        for (;;) filled += writeSync(reader, Buffer.alloc(4096));
      },
      { code: 'EAGAIN' },
    );
    const descriptor = openSync(pipe, 'r+');
    const drain = () => {
      for (let read = 0; read < filled; ) read += readSync(reader, Buffer.alloc(65536), { length: 65536 });
    };
    await test({ device: new FuseDevice(descriptor, silentLog), descriptor, drain });
  } finally {
    // Also after a failure: what still waits to be written would keep this process.
    assert.throws(readAll, { code: 'EAGAIN' });
    closeSync(reader);
    rmSync(folder, { recursive: true });
  }
}

describe('the FUSE device', () => {
  it('is closed only when the notifications on their way have ended', () =>
    withFullDevice(async ({ device, descriptor, drain }) => {
      void device.notify([Buffer.from('x')]);
      let isClosed = false;
      const closing = device.close().then(() => {
        isClosed = true;
      });
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(isClosed, false);
      assert.ok(fstatSync(descriptor).isFIFO());
      drain();
      await closing;
      assert.throws(() => fstatSync(descriptor), { code: 'EBADF' });
    }));

  it('has one thread of the pool at most for notifications that wait for locks of directories', () =>
    withFullDevice(async ({ device, drain }) => {
      let taken = 0;
      const notifications = Array.from({ length: 20 }, () =>
        device.notifyInTurn([Buffer.from('x')]).then(() => {
          taken++;
        }),
      );
      // Needs a thread of the pool, too.
      assert.ok((await stat('/')).isDirectory());
      assert.equal(taken, 0);
      drain();
      await Promise.all(notifications);
      await device.notified();
      assert.equal(taken, 20);
      await device.close();
    }));
});
