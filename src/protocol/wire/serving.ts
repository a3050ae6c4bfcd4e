// The answering end of a connection: finds the method, runs it, sends exactly
// one reply per request, in whatever order they are done. A peer that does not
// take its replies is no longer read from.
import type { Buffer } from 'node:buffer';
import { messageOf, stackOf } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import type { Socket } from '../../runtime/network.js';
import type { Runtime } from '../../runtime/runtime.js';
import { FileError, malformed, ServiceError } from '../errors.js';
import {
  HANDSHAKE_DEADLINE_MS,
  MAXIMUM_BYTES_IN_FLIGHT,
  MAXIMUM_REQUESTS_IN_FLIGHT,
  REPLY_QUEUE_HIGH_BYTES,
  REPLY_QUEUE_LOW_BYTES,
  REPLY_QUEUE_POLL_MS,
} from '../limits.js';
import type { CallOptions } from '../services/service.js';
import { NONCE_BYTES, ServerHandshake } from './authentication.js';
import { encodeFailure, encodeReply, type Message } from './codec.js';
import { Connection } from './connection.js';
import { giveBack } from './lent.js';

export type ServedMethod = (request: object, options: CallOptions) => Promise<object>;

/**
 * "service.method" → function, of the own and inherited function members of each service, but none that all objects have.
 * What is not in this table when the server starts can't be called.
 */
export function methodTable(services: Record<string, object>): ReadonlyMap<string, ServedMethod> {
  const table = new Map<string, ServedMethod>();
  for (const [name, service] of Object.entries(services)) {
    for (let holder: object | null = service; holder !== null && holder !== Object.prototype; ) {
      for (const [member, { value }] of Object.entries(Object.getOwnPropertyDescriptors(holder))) {
        const full = `${name}.${member}`;
        if (typeof value !== 'function' || member === 'constructor' || table.has(full)) continue;
        table.set(full, (request, options) => value.call(service, request, options) as Promise<object>);
      }
      holder = Object.getPrototypeOf(holder) as object | null;
    }
  }
  return table;
}

/** A request that has no reply yet, and the options that its method sees. */
class RunningRequest implements CallOptions {
  #controller: AbortController | undefined;
  #aborted = false;

  /** @param payloads the buffer that goes back to the pool after the reply; undefined when the method may keep it */
  constructor(
    readonly sizeBytes: number,
    readonly payloads: Buffer | undefined,
    readonly peer: object,
  ) {}

  /** Aborts when the caller cancels or its connection is gone. Made lazily: most methods never look at it. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted) this.#controller.abort();
    return this.#controller.signal;
  }

  abort(): void {
    this.#aborted = true;
    this.#controller?.abort();
  }
}

export interface ServingOptions {
  socket: Socket;
  methods: ReadonlyMap<string, ServedMethod>;
  /** Methods that neither keep byte arrays of a request beyond their reply nor put them into it. */
  transient: ReadonlySet<string>;
  secret: string | undefined;
  closed: (connection: ServingConnection) => void;
}

export class ServingConnection {
  readonly #methods: ReadonlyMap<string, ServedMethod>;
  readonly #transient: ReadonlySet<string>;
  readonly #runtime: Runtime;
  readonly #connection: Connection;
  readonly #running = new Map<number, RunningRequest>();
  #bytesInFlight = 0;
  #paused = false;
  #queueTimer: Timer | undefined;

  constructor({ socket, methods, transient, secret, closed }: ServingOptions, runtime: Runtime) {
    this.#methods = methods;
    this.#transient = transient;
    this.#runtime = runtime;
    this.#connection = new Connection({
      socket,
      handshake: new ServerHandshake(secret, runtime.random.bytes(NONCE_BYTES)),
      handshakeDeadlineMs: HANDSHAKE_DEADLINE_MS,
      clock: runtime.clock,
      events: {
        opened: () => runtime.log.debug('connection.accepted', { peer: socket.peer }),
        message: (message, sizeBytes, payloads) => this.#take(message, sizeBytes, payloads),
        closed: (error) => {
          this.#logEnd(error);
          this.#queueTimer?.cancel();
          for (const request of this.#running.values()) request.abort();
          this.#running.clear();
          closed(this);
        },
      },
    });
  }

  close(): void {
    this.#connection.close(new ServiceError('CLOSING', 'this server is closing'));
  }

  #take(message: Message, sizeBytes: number, payloads: Buffer | undefined): void {
    switch (message.kind) {
      case 'request':
        this.#start(message.id, message.method, message.body, sizeBytes, payloads);
        return;
      case 'cancel':
        this.#running.get(message.id)?.abort();
        return;
      case 'reply':
      case 'failure':
        throw malformed('a reply without a request');
    }
  }

  #start(id: number, name: string, body: object, sizeBytes: number, payloads: Buffer | undefined): void {
    if (this.#running.has(id)) throw malformed(`request ${id} twice`);
    if (this.#running.size >= MAXIMUM_REQUESTS_IN_FLIGHT) {
      throw malformed(`more than ${MAXIMUM_REQUESTS_IN_FLIGHT} requests at once`);
    }
    const method = this.#methods.get(name);
    if (method === undefined) {
      this.#connection.send(encodeFailure(id, new ServiceError('UNKNOWN_METHOD', `there is no method ${name}`)));
      return;
    }
    const request = new RunningRequest(sizeBytes, this.#transient.has(name) ? payloads : undefined, this);
    this.#running.set(id, request);
    this.#bytesInFlight += sizeBytes;
    this.#steer();
    let result: Promise<object>;
    try {
      result = Promise.resolve(method(body, request));
    } catch (error) {
      result = Promise.reject(error);
    }
    result.then(
      (reply) => this.#reply(id, request, name, reply),
      (error: unknown) => this.#fail(id, request, name, error),
    );
  }

  #reply(id: number, request: RunningRequest, name: string, reply: unknown): void {
    let frame: Uint8Array[];
    try {
      if (typeof reply !== 'object' || reply === null) throw malformed(`${name} answered no object`);
      frame = encodeReply(id, reply);
    } catch (error) {
      this.#fail(id, request, name, new Error(`the reply can't be sent: ${messageOf(error)}`));
      return;
    }
    this.#finish(id, request, frame, () => giveBack(reply));
  }

  #fail(id: number, request: RunningRequest, name: string, error: unknown): void {
    if (!(error instanceof FileError) && !(error instanceof ServiceError)) {
      this.#runtime.log.error('request.failed', {
        method: name,
        peer: this.#connection.peer,
        stack: stackOf(error),
      });
    }
    this.#finish(id, request, encodeFailure(id, error));
  }

  #finish(id: number, request: RunningRequest, frame: Uint8Array[], sent?: () => void): void {
    if (request.payloads !== undefined) this.#connection.release(request.payloads);
    if (!this.#running.delete(id)) return;
    this.#bytesInFlight -= request.sizeBytes;
    this.#connection.send(frame, sent);
    this.#steer();
  }

  /** Reads on, or waits until the caller has taken its replies and the methods have done their work. */
  #steer(): void {
    const queuedBytes = this.#connection.queuedBytes;
    const queueLimit = this.#paused ? REPLY_QUEUE_LOW_BYTES : REPLY_QUEUE_HIGH_BYTES;
    const crowded = queuedBytes > queueLimit || this.#bytesInFlight > MAXIMUM_BYTES_IN_FLIGHT;
    if (crowded && !this.#paused) this.#connection.pause();
    if (!crowded && this.#paused) this.#connection.resume();
    this.#paused = crowded;
    // The end of a request calls this; nobody reports that the queue shrinks, so it is polled.
    if (crowded && queuedBytes > REPLY_QUEUE_LOW_BYTES && this.#queueTimer === undefined) {
      this.#queueTimer = this.#runtime.clock.after(REPLY_QUEUE_POLL_MS, () => {
        this.#queueTimer = undefined;
        this.#steer();
      });
    }
  }

  #logEnd(error: ServiceError): void {
    const fields = { peer: this.#connection.peer, reason: error.message };
    switch (error.code) {
      case 'MALFORMED':
        this.#runtime.log.warn('connection.malformed', fields);
        return;
      case 'REFUSED':
        this.#runtime.log.warn('auth.refused', fields);
        return;
      case 'FAILED':
        this.#runtime.log.error('connection.failed', fields);
        return;
      default:
        this.#runtime.log.debug('connection.closed', fields);
    }
  }
}
