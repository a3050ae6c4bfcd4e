// One mounted session of the kernel's protocol: every request gets exactly one
// reply, whatever its handler does. A malformed request costs itself, never the session.
import { Buffer } from 'node:buffer';
import type { FileErrorCode } from '../../protocol/errors.js';
import { giveBack } from '../../protocol/wire/lent.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Operations } from '../operations/operations.js';
import { describeFailure, ERROR_NUMBERS, fileErrorCodeOf } from '../posix/errno.js';
import { OLDEST_PROTOCOL_MINOR, PROTOCOL_MAJOR } from './codec/layout.js';
import {
  EMPTY_REPLY,
  encodeError,
  encodeInit,
  encodeInitOtherMajor,
  encodeReply,
  offersLists,
  type ReplyBody,
} from './codec/replies.js';
import { type Arguments, parseArguments, parseHeader, type RequestHeader } from './codec/requests.js';
import { type FileArguments, type HandlerParts, handle, type RequestContext } from './handlers/handlers.js';
import { answerOfRemoved } from './handlers/removed-directories.js';
import { DirectoryPlaces } from './known/directory-places.js';
import { InodeTable } from './known/inode-table.js';

/** Longer data keeps the buffer it came in; shorter is copied out, which is cheaper than another buffer. */
const KEEP_BUFFER_BYTES = 256 * 1024;

/**
 * An interrupted request gets this long to end by itself. Many programs live with signals all the time and expect no
 * EINTR from a file system; only a request that hangs needs to be given up, so that its program can be killed.
 */
const INTERRUPT_GRACE_MS = 1000;

/**
 * Requests that can be given up: they change nothing, or what they do goes on by itself. All others wait for their outcome,
 * which nobody could know after EINTR, until it is certain that nobody will ask: when the program is being killed.
 */
const ABANDONABLE: ReadonlySet<Arguments['kind']> = new Set([
  'lookup',
  'getattr',
  'readlink',
  'open',
  'read',
  'write',
  'copy',
  'statfs',
  'flush',
  'setlk',
  'fsync',
  'fsyncdir',
  'readdir',
  'readdirplus',
  'getxattr',
  'listxattr',
  'seek',
]);

export interface SessionParts {
  operations: Operations;
  runtime: Runtime;
  attributeTimeoutMs: number;
  /** Sends a reply; false when nobody waits for it. */
  send(chunks: readonly Uint8Array[]): boolean;
  forgetAttributes(inode: number): void;
  /** Whether the thread with that id is about to end by a signal. */
  isBeingKilled(threadId: number): Promise<boolean>;
  /** The kernel has greeted and was answered: the mount works. */
  ready(): void;
}

/** A request that has not been answered; it can be answered once. */
class OpenRequest implements RequestContext {
  #answered = false;
  #undo: (() => Promise<void>) | undefined;
  #controller: AbortController | undefined;
  interrupted = false;

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

  async answer(body: ReplyBody): Promise<void> {
    const delivered = !this.#answered && this.#send(encodeReply(this.header.unique, body));
    this.#answered = true;
    giveBack(body);
    if (!delivered) await this.#undo?.();
  }

  fail(code: FileErrorCode): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#send(encodeError(this.header.unique, ERROR_NUMBERS[code]));
  }

  abandon(): void {
    this.#controller ??= new AbortController();
    this.#controller.abort();
    this.fail('EINTR');
  }
}

export class KernelSession {
  /** What the kernel speaks; 0 before it has greeted. */
  protocolMinor = 0;
  readonly #inodes = new InodeTable();
  readonly places = new DirectoryPlaces();
  readonly #openRequests = new Map<number, OpenRequest>();
  readonly #handlerParts: HandlerParts;

  readonly #parts: SessionParts;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const { operations, runtime, attributeTimeoutMs } = parts;
    this.#handlerParts = {
      operations,
      inodes: this.#inodes,
      places: this.places,
      clock: runtime.clock,
      attributeTimeoutMs,
      lists: false,
      forgetAttributes: parts.forgetAttributes,
    };
  }

  /** Inodes that the kernel knows. */
  get knownInodes(): Iterable<number> {
    return this.#inodes.numbers();
  }

  kept(): Record<string, number> {
    return { kernelInodes: this.#inodes.size, openRequests: this.#openRequests.size };
  }

  /** Takes one request off the device. True when its buffer is kept. */
  receive(bytes: Buffer): boolean {
    let header: RequestHeader | undefined;
    try {
      header = parseHeader(bytes);
      return this.#dispatch(header, parseArguments(header, bytes, { longSetxattr: this.#handlerParts.lists }));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#parts.runtime.log.warn('mount.malformed', { error: message, opcode: header?.opcode, bytes: bytes.length });
      if (header !== undefined) this.#parts.send(encodeError(header.unique, ERROR_NUMBERS.EIO));
      return false;
    }
  }

  #dispatch(header: RequestHeader, request: Arguments): boolean {
    const { operations, send } = this.#parts;
    switch (request.kind) {
      case 'forget':
        for (const { inode, count } of request.forgets) {
          if (!this.#inodes.forget(inode, count)) continue;
          operations.forget(inode);
          this.places.forget(inode);
        }
        return false;
      case 'interrupt':
        this.#interrupt(header, request.unique);
        return false;
      case 'init':
        this.#greet(header, request);
        return false;
      case 'destroy':
        send(encodeReply(header.unique, EMPTY_REPLY));
        return false;
      case 'refused':
        send(encodeError(header.unique, ERROR_NUMBERS[request.code]));
        return false;
      case 'write': {
        const keep = request.data.length >= KEEP_BUFFER_BYTES;
        void this.#answer(header, keep ? request : { ...request, data: Buffer.from(request.data) });
        return keep;
      }
      default:
        void this.#answer(header, request);
        return false;
    }
  }

  async #answer(header: RequestHeader, request: FileArguments): Promise<void> {
    const open = new OpenRequest(header, request.kind, this.#parts.send);
    this.#openRequests.set(header.unique, open);
    try {
      await open.answer(await handle(header, request, this.#handlerParts, open));
    } catch (error) {
      await this.#answerFailure(open, request, error);
    } finally {
      this.#openRequests.delete(header.unique);
    }
  }

  async #answerFailure(open: OpenRequest, request: FileArguments, failure: unknown): Promise<void> {
    try {
      await open.answer(answerOfRemoved(open.header, request, this.#handlerParts, failure));
    } catch (error) {
      const { code, expected } = fileErrorCodeOf(error);
      if (!expected) this.#logFailure(open.header, request.kind, error);
      open.fail(code);
    }
  }

  #logFailure(header: RequestHeader, request: string, error: unknown): void {
    this.#parts.runtime.log.warn('mount.failed', { request, inode: header.inode, error: describeFailure(error) });
  }

  #interrupt(header: RequestHeader, unique: number): void {
    const open = this.#openRequests.get(unique);
    if (open === undefined) {
      // Not here yet, or answered by now: the kernel knows which, and asks again in the first case.
      this.#parts.send(encodeError(header.unique, ERROR_NUMBERS.EAGAIN));
      return;
    }
    if (open.interrupted) return;
    open.interrupted = true;
    // Whoever waits for a lock with an alarm set wants to hear of it at once.
    this.#giveUpLater(open, open.kind === 'setlk' ? 0 : INTERRUPT_GRACE_MS);
  }

  /** The kernel tells of the first signal only; the one that kills may be a later one. */
  #giveUpLater(open: OpenRequest, graceMs: number): void {
    const { unique, pid } = open.header;
    const isOpen = () => this.#openRequests.get(unique) === open;
    const look = async () => {
      const giveUp = ABANDONABLE.has(open.kind) || (await this.#parts.isBeingKilled(pid));
      if (!isOpen()) return;
      if (giveUp) open.abandon();
      else this.#giveUpLater(open, INTERRUPT_GRACE_MS);
    };
    this.#parts.runtime.clock.after(graceMs, () => {
      if (isOpen()) void look();
    });
  }

  #greet(header: RequestHeader, request: { major: number; minor: number } & InitArguments): void {
    const { send, runtime, ready, operations } = this.#parts;
    if (request.major !== PROTOCOL_MAJOR) {
      runtime.log.info('mount.protocol', { major: request.major });
      if (request.major > PROTOCOL_MAJOR) send(encodeReply(header.unique, encodeInitOtherMajor()));
      else send(encodeError(header.unique, ERROR_NUMBERS.EIO));
      return;
    }
    if (request.minor < OLDEST_PROTOCOL_MINOR) {
      runtime.log.error('mount.protocol', { major: request.major, minor: request.minor });
      send(encodeError(header.unique, ERROR_NUMBERS.EIO));
      return;
    }
    const { minor, maximumReadaheadBytes, flags: offeredFlags, highFlags: offeredHighFlags } = request;
    this.protocolMinor = minor;
    this.#handlerParts.lists = offersLists(offeredFlags);
    const locks = operations.locks.areKept;
    const greeting = encodeInit({ minor, maximumReadaheadBytes, offeredFlags, offeredHighFlags, locks });
    send(encodeReply(header.unique, greeting));
    ready();
  }
}

interface InitArguments {
  maximumReadaheadBytes: number;
  flags: number;
  highFlags: number;
}
