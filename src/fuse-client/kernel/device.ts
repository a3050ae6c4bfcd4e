// /dev/fuse: whole requests come in through a few reads that wait in libuv's
// pool, replies go out by a write that does not block. Never touches the mount.
import { closeSync, openSync, read, writev, writevSync } from 'node:fs';
import type { Log } from '../../runtime/log.js';
import { REQUEST_BUFFER_BYTES } from './layout.js';

/**
 * Each holds a thread of libuv's pool (UV_THREADPOOL_SIZE, 4 unless set), so at most half of it. Two measured best: with
 * four, requests one after the other wake another thread each time, and stat is half as fast.
 */
const MOST_READS_IN_FLIGHT = 2;
const DEFAULT_POOL_THREADS = 4;

/** Replies to a request that the kernel has given up meanwhile. */
const NOBODY_WAITS = new Set(['ENOENT', 'ENODEV', 'ENOTCONN', 'ECONNABORTED']);
const TRY_AGAIN = new Set(['EINTR', 'EAGAIN', 'ENOENT']);

export interface DeviceReceiver {
  /** One request. True when its buffer is kept: the device then takes another and never touches this one again. */
  request(bytes: Buffer): boolean;
  /** The mount is gone; nothing comes any more. */
  ended(): void;
}

export class FuseDevice {
  readonly descriptor: number;
  private readsInFlight = 0;
  private gone = false;

  /** Throws when /dev/fuse is not there or not allowed. */
  constructor(private readonly log: Log) {
    this.descriptor = openSync('/dev/fuse', 'r+');
  }

  /** Starts reading; only after the mount, the device refuses earlier reads. */
  start(receiver: DeviceReceiver): void {
    const threads = Number(process.env.UV_THREADPOOL_SIZE ?? DEFAULT_POOL_THREADS);
    const reads = Math.max(1, Math.min(MOST_READS_IN_FLIGHT, Math.floor(threads / 2)));
    for (let count = 0; count < reads; count++) this.readNext(receiver, Buffer.allocUnsafeSlow(REQUEST_BUFFER_BYTES));
  }

  /** Sends one message. False when nobody waits for it. */
  send(chunks: readonly Uint8Array[]): boolean {
    if (this.gone) return false;
    try {
      writevSync(this.descriptor, chunks);
      return true;
    } catch (error) {
      this.reportFailedWrite(error);
      return false;
    }
  }

  /** Sends a notification that may have to wait for replies of this very process, hence from a pool thread. */
  notify(chunks: readonly Uint8Array[]): void {
    if (this.gone) return;
    writev(this.descriptor, chunks, (error) => {
      if (error !== null) this.reportFailedWrite(error);
    });
  }

  /** Gives the descriptor back when the mount never came about. */
  abandon(): void {
    this.gone = true;
    closeSync(this.descriptor);
  }

  private readNext(receiver: DeviceReceiver, buffer: Buffer): void {
    this.readsInFlight += 1;
    read(this.descriptor, buffer, 0, buffer.length, null, (error, length) => {
      this.readsInFlight -= 1;
      if (error === null) {
        const kept = receiver.request(buffer.subarray(0, length));
        this.readNext(receiver, kept ? Buffer.allocUnsafeSlow(REQUEST_BUFFER_BYTES) : buffer);
      } else if (!this.gone && TRY_AGAIN.has(error.code ?? '')) {
        this.readNext(receiver, buffer);
      } else {
        this.stop(receiver, error);
      }
    });
  }

  private stop(receiver: DeviceReceiver, error: NodeJS.ErrnoException): void {
    if (!this.gone && error.code !== 'ENODEV') this.log.error('mount.device', { error: error.message });
    this.gone = true;
    if (this.readsInFlight > 0) return;
    closeSync(this.descriptor);
    receiver.ended();
  }

  private reportFailedWrite(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const message = error instanceof Error ? error.message : String(error);
    if (NOBODY_WAITS.has(code)) this.log.debug('mount.late-reply', { error: message });
    else this.log.error('mount.reply', { error: message });
  }
}
