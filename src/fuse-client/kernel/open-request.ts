// A request of the kernel that is being worked on. It is answered once, whatever
// its handler does.
import type { FileErrorCode } from '../../protocol/errors.js';
import { giveBack } from '../../protocol/wire/lent.js';
import { ERROR_NUMBERS } from '../posix/errno.js';
import { encodeError, encodeReply, type ReplyBody } from './codec/replies.js';
import type { Arguments, RequestHeader } from './codec/request-types.js';
import type { RequestContext } from './handlers/handler-types.js';

export class OpenRequest implements RequestContext {
  #isAnswered = false;
  #undo: (() => Promise<void>) | undefined;
  #controller: AbortController | undefined;
  isInterrupted = false;

  readonly #send: (chunks: readonly Uint8Array[]) => boolean;

  constructor(
    readonly header: RequestHeader,
    readonly kind: Arguments['kind'],
    send: (chunks: readonly Uint8Array[]) => boolean,
  ) {
    this.#send = send;
  }

  signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  ifUndelivered(action: () => Promise<void>): void {
    this.#undo = action;
  }

  /** Sends the reply, or undoes the request when nobody gets it. */
  async answer(body: ReplyBody): Promise<void> {
    const isDelivered = !this.#isAnswered && this.#send(encodeReply(this.header.unique, body));
    this.#isAnswered = true;
    giveBack(body);
    if (!isDelivered) await this.#undo?.();
  }

  fail(code: FileErrorCode): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#send(encodeError(this.header.unique, ERROR_NUMBERS[code]));
  }

  /** Gives the request up: it is answered with EINTR. */
  abandon(): void {
    this.#controller ??= new AbortController();
    this.#controller.abort();
    this.fail('EINTR');
  }
}
