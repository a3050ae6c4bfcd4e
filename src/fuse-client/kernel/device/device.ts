// /dev/fuse: whole requests come in as the kernel has them, replies go out by
// a write that does not block. Never touches the mount.
import { Buffer } from 'node:buffer';
import { closeSync, writev, writevSync } from 'node:fs';
import { messageOf } from '../../../runtime/caught-errors.js';
import type { Log } from '../../../runtime/log.js';
import { REQUEST_BUFFER_BYTES } from '../codec/layout.js';
import { pollDescriptor } from './poll.js';

/** The errors of a reply to a request that the kernel has given up meanwhile. */
const NOBODY_WAITS = new Set(['ENOENT', 'ENODEV', 'ENOTCONN', 'ECONNABORTED']);
/** The error that ends reading when the file system is unmounted. */
const UNMOUNTED = 'ENODEV';

export interface DeviceReceiver {
  /** One request. True when its buffer is kept: the device then takes another and never touches this one again. */
  request(bytes: Buffer): boolean;
  /** The mount is gone; nothing comes any more. */
  ended(): void;
}

export class FuseDevice {
  #reading: { destroy(): void } | undefined;
  #isGone = false;
  #isClosing = false;
  /** Notifications on their way; none rejects. */
  readonly #notifying = new Set<Promise<void>>();
  /** Resolves when the last notification that was sent in turn is written. */
  #lastInTurn: Promise<void> = Promise.resolve();

  readonly #descriptor: number;
  readonly #log: Log;

  /** @param descriptor of a mounted /dev/fuse, which belongs to this object from now on */
  constructor(descriptor: number, log: Log) {
    this.#descriptor = descriptor;
    this.#log = log;
  }

  /** Starts reading. */
  start(receiver: DeviceReceiver): void {
    let free: Buffer | undefined;
    this.#reading = pollDescriptor(this.#descriptor, {
      buffer: () => {
        free ??= Buffer.allocUnsafeSlow(REQUEST_BUFFER_BYTES);
        return free;
      },
      received: (bytes) => {
        if (receiver.request(bytes)) free = undefined;
      },
      ended: (error) => {
        if (error !== undefined && error.code !== UNMOUNTED) this.#log.error('mount.device', { error: error.message });
        this.#isGone = true;
        receiver.ended();
      },
      idle: () => this.notified(),
    });
  }

  /** Sends one message. False when nobody waits for it. */
  send(chunks: readonly Uint8Array[]): boolean {
    if (this.#isGone) return false;
    try {
      writevSync(this.#descriptor, chunks);
      return true;
    } catch (error) {
      this.#reportFailedWrite(error);
      return false;
    }
  }

  /**
   * Sends a notification from a pool thread: the kernel may block it until this very process has answered other requests.
   * Resolves when the kernel has taken it, or it has failed.
   */
  notify(chunks: readonly Uint8Array[]): Promise<void> {
    return this.#track(this.#write(chunks));
  }

  /**
   * Sends a notification that waits for a directory's lock in the kernel. One at a time: a change in that directory may wait
   * for a request that itself waits for another notification, so these must never occupy all threads of the pool.
   */
  notifyInTurn(chunks: readonly Uint8Array[]): Promise<void> {
    this.#lastInTurn = this.#track(this.#lastInTurn.then(() => this.#write(chunks)));
    return this.#lastInTurn;
  }

  /** Resolves when the kernel has taken all notifications until now, or they have failed. */
  async notified(): Promise<void> {
    await Promise.all(this.#notifying);
  }

  /**
   * Closes the descriptor. With it the kernel ends the connection: programs that have something open get ENOTCONN.
   * Notifications on their way end first: the number of the descriptor may be reused right after.
   */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.notified();
    if (this.#isGone) return;
    this.#isGone = true;
    if (this.#reading === undefined) closeSync(this.#descriptor);
    else this.#reading.destroy();
  }

  #write(chunks: readonly Uint8Array[]): Promise<void> {
    if (this.#isGone || this.#isClosing) return Promise.resolve();
    return new Promise((resolve) => {
      writev(this.#descriptor, chunks, (error) => {
        if (error !== null) this.#reportFailedWrite(error);
        resolve();
      });
    });
  }

  #track(written: Promise<void>): Promise<void> {
    this.#notifying.add(written);
    void written.then(() => this.#notifying.delete(written));
    return written;
  }

  #reportFailedWrite(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const message = messageOf(error);
    if (NOBODY_WAITS.has(code)) this.#log.debug('mount.late-reply', { error: message });
    else this.#log.error('mount.reply', { error: message });
  }
}
