// One mounted session of the kernel's protocol: every request gets exactly one
// reply, whatever its handler does. A malformed request fails; the session goes on.
import { Buffer } from 'node:buffer';
import { messageOf } from '../../runtime/caught-errors.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Operations } from '../operations/operations.js';
import { describeFailure, ERROR_NUMBERS, fileErrorCodeOf } from '../posix/errno.js';
import { encodeInit, encodeInitOtherMajor, offersLists } from './codec/init-reply.js';
import { OLDEST_PROTOCOL_MINOR, PROTOCOL_MAJOR } from './codec/layout.js';
import { EMPTY_REPLY, encodeError, encodeReply } from './codec/replies.js';
import type { Arguments, RequestHeader } from './codec/request-types.js';
import { parseArguments, parseHeader } from './codec/requests.js';
import { answerOfGone } from './handlers/gone-inodes.js';
import type { FileArguments, HandlerDependencies } from './handlers/handler-types.js';
import { handle } from './handlers/handlers.js';
import { Interrupts } from './interrupts.js';
import { DirectoryPlaces } from './known/directory-places.js';
import { InodeTable } from './known/inode-table.js';
import { ListedDirectories } from './known/listed-directories.js';
import { OpenRequest } from './open-request.js';

/** Data of a write that is longer keeps the buffer it came in; shorter data is copied, which is cheaper than a new buffer. */
const KEEP_BUFFER_BYTES = 256 * 1024;

export interface SessionDependencies {
  operations: Operations;
  runtime: Runtime;
  attributeTimeoutMs: number;
  /** Sends a reply; false when nobody waits for it. */
  send(chunks: readonly Uint8Array[]): boolean;
  forgetAttributes(inode: number): void;
  /** Whether the thread with that id is about to end by a signal. */
  isBeingKilled(threadId: number): Promise<boolean>;
  /** The kernel's INIT was answered: the mount works. */
  ready(): void;
}

export class KernelSession {
  /** The minor version of the kernel's protocol; 0 before it has sent INIT. */
  protocolMinor = 0;
  readonly #inodes = new InodeTable();
  readonly places = new DirectoryPlaces();
  readonly #listed: ListedDirectories;
  /** By their `unique`. */
  readonly #openRequests = new Map<number, OpenRequest>();
  readonly #interrupts: Interrupts;
  readonly #handlerDependencies: HandlerDependencies;

  readonly #dependencies: SessionDependencies;

  constructor(dependencies: SessionDependencies) {
    this.#dependencies = dependencies;
    const { operations, runtime, attributeTimeoutMs } = dependencies;
    this.#listed = new ListedDirectories(attributeTimeoutMs);
    this.#handlerDependencies = {
      operations,
      inodes: this.#inodes,
      places: this.places,
      listed: this.#listed,
      clock: runtime.clock,
      attributeTimeoutMs,
      obeysLists: false,
      forgetAttributes: dependencies.forgetAttributes,
    };
    this.#interrupts = new Interrupts(this.#openRequests, runtime.clock, dependencies.isBeingKilled);
  }

  /** Inodes that the kernel knows. */
  get knownInodes(): Iterable<number> {
    return this.#inodes.numbers();
  }

  kept(): Record<string, number> {
    return {
      kernelInodes: this.#inodes.size,
      listedDirectories: this.#listed.size,
      openRequests: this.#openRequests.size,
    };
  }

  /** Takes one request off the device. True when its buffer is kept. */
  receive(bytes: Buffer): boolean {
    let header: RequestHeader | undefined;
    try {
      header = parseHeader(bytes);
      return this.#dispatch(
        header,
        parseArguments(header, bytes, { longSetxattr: this.#handlerDependencies.obeysLists }),
      );
    } catch (error) {
      const message = messageOf(error);
      this.#dependencies.runtime.log.warn('mount.malformed', {
        error: message,
        opcode: header?.opcode,
        bytes: bytes.length,
      });
      if (header !== undefined) this.#dependencies.send(encodeError(header.unique, ERROR_NUMBERS.EIO));
      return false;
    }
  }

  #dispatch(header: RequestHeader, request: Arguments): boolean {
    const { operations, send } = this.#dependencies;
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
        const { kind, handle, offset, data, writeFlags } = request;
        const keepsBuffer = data.length >= KEEP_BUFFER_BYTES;
        const own = keepsBuffer ? request : { kind, handle, offset, data: Buffer.from(data), writeFlags };
        void this.#answer(header, own);
        return keepsBuffer;
      }
      default:
        void this.#answer(header, request);
        return false;
    }
  }

  async #answer(header: RequestHeader, request: FileArguments): Promise<void> {
    const open = new OpenRequest(header, request.kind, this.#dependencies.send);
    this.#openRequests.set(header.unique, open);
    try {
      await open.answer(await handle(header, request, this.#handlerDependencies, open));
    } catch (error) {
      await this.#answerFailure(open, request, error);
    } finally {
      this.#openRequests.delete(header.unique);
    }
  }

  async #answerFailure(open: OpenRequest, request: FileArguments, failure: unknown): Promise<void> {
    try {
      await open.answer(answerOfGone(open.header, request, this.#handlerDependencies, failure));
    } catch (error) {
      const { code, expected } = fileErrorCodeOf(error);
      if (!expected) this.#logFailure(open.header, request.kind, error);
      open.fail(code);
    }
  }

  #logFailure(header: RequestHeader, request: string, error: unknown): void {
    this.#dependencies.runtime.log.warn('mount.failed', {
      request,
      inode: header.inode,
      error: describeFailure(error),
    });
  }

  #interrupt(header: RequestHeader, unique: number): void {
    const open = this.#openRequests.get(unique);
    if (open === undefined) {
      // It has not come yet, or is answered: on EAGAIN the kernel interrupts again in the first case.
      this.#dependencies.send(encodeError(header.unique, ERROR_NUMBERS.EAGAIN));
      return;
    }
    this.#interrupts.interrupt(open);
  }

  #greet(header: RequestHeader, request: { major: number; minor: number } & InitArguments): void {
    const { send, runtime, ready, operations } = this.#dependencies;
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
    this.#handlerDependencies.obeysLists = offersLists(offeredFlags);
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
