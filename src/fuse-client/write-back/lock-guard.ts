// Gives up a file's changes that are under way when a lock is lost: they may have
// been made under it, and must not be stored any more. Only a file that programs
// lock has a signal.
import type { CallOptions } from '../../protocol/services/service.js';

export class LockGuard {
  #controller: AbortController | undefined;

  /** Programs lock the file from now on. */
  watch(): void {
    this.#controller ??= new AbortController();
  }

  /** For a call that changes the file: aborts it when a lock is lost. */
  get limits(): { signal: AbortSignal } | undefined {
    const controller = this.#controller;
    return controller === undefined ? undefined : { signal: controller.signal };
  }

  /** Makes such a call, by default with the limits of now. Throws the error that `abortAll` was given when it is given up. */
  async run<T>(change: (limits: CallOptions | undefined) => Promise<T>, limits = this.limits): Promise<T> {
    limits?.signal.throwIfAborted();
    try {
      return await change(limits);
    } catch (error) {
      limits?.signal.throwIfAborted();
      throw error;
    }
  }

  /** A lock was lost: the calls under way fail with `error`. */
  abortAll(error: Error): void {
    this.#controller?.abort(error);
    this.#controller = new AbortController();
  }
}
