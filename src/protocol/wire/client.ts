// The calling end: a connection to one server that comes back by itself, for
// ever. Calls are numbered and pipelined; what was in flight on a connection
// that breaks fails at once, since nobody can know whether it was carried out.
import type { Buffer } from 'node:buffer';
import { asError, messageOf, stackOf } from '../../runtime/caught-errors.js';
import { type Clock, sleep } from '../../runtime/clock.js';
import { Deadlines } from '../../runtime/deadlines.js';
import type { Socket } from '../../runtime/network.js';
import type { Runtime } from '../../runtime/runtime.js';
import { malformed, ServiceError } from '../errors.js';
import { HANDSHAKE_DEADLINE_MS, MAXIMUM_REQUESTS_IN_FLIGHT, REQUEST_QUEUE_BYTES } from '../limits.js';
import type { CallOptions } from '../services/service.js';
import { ClientHandshake, NONCE_BYTES } from './authentication.js';
import { Call, type CallEvents } from './call.js';
import { encodeCancel, encodeRequest, type Message } from './codec.js';
import { Connection } from './connection.js';
import { lend } from './lent.js';

const FIRST_BACKOFF_MS = 20;
const LONGEST_BACKOFF_MS = 500;
/** How often calls that were held back because the network is slow are looked at. */
const HELD_POLL_MS = 4;

export type RemoteState = 'connecting' | 'up' | 'down';

export interface RemoteOptions {
  /** HOST:PORT */
  address: string;
  /** Preferred when connecting to it works. */
  unixPath?: string;
  /** For log lines and errors: data1, meta1 … */
  name: string;
  secret?: string;
  /** Default deadline per call. */
  deadlineMs: number;
  /** For connecting and, again, for the handshake; 5 seconds when absent. */
  connectDeadlineMs?: number;
  /** Calls made while not connected: 'fail' at once with UNREACHABLE, or 'wait' for the connection until their deadline. */
  whileDown: 'fail' | 'wait';
  /** A call that misses its deadline breaks the connection, so that the server counts as down until it answers again. */
  closeOnDeadline?: boolean;
}

export interface Remote {
  /**
   * A typed proxy: method(request, options) sends "name.method". Calls fail with what the other side failed with
   * (FileError, ServiceError), or UNREACHABLE, DEADLINE, CANCELLED, MALFORMED (the request can't travel) or REFUSED
   * (wrong secret, while that lasts).
   */
  service<T>(name: string): T;
  /** 'connecting' until the first attempt's outcome is known, then 'up' or 'down'. */
  readonly state: RemoteState;
  /** Called at each change, before the calls that fail through it. */
  onStateChange(listener: (state: RemoteState) => void): void;
  close(): Promise<void>;
}

/** Connects in the background, and again whenever the connection is lost. */
export function connectRemote(options: RemoteOptions, runtime: Runtime): Remote {
  return new ReconnectingRemote(options, runtime);
}

class ReconnectingRemote implements Remote, CallEvents {
  state: RemoteState = 'connecting';
  readonly #options: RemoteOptions;
  readonly #runtime: Runtime;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #listeners: ((state: RemoteState) => void)[] = [];
  /** The connection when it is open. */
  #connection: Connection | undefined;
  /** The attempt at hand, whose handshake is not through. */
  #attempt: Connection | undefined;
  /** Sent and not answered: abandoned calls stay until their reply, since they still occupy the server. */
  #inFlight = new Map<number, Call>();
  /** Not sent yet, in order. */
  readonly #held = new Set<Call>();
  #heldPolled = false;
  #nextId = 0;
  #whyDown: ServiceError;
  #closed = false;

  constructor(options: RemoteOptions, runtime: Runtime) {
    this.#options = options;
    this.#runtime = runtime;
    this.#clock = runtime.clock;
    this.#deadlines = new Deadlines(runtime.clock);
    this.#whyDown = new ServiceError('UNREACHABLE', `not connected to ${options.name} yet`);
    // Never rejects: it ends when this is closed.
    void this.#stayConnected();
  }

  service<T>(name: string): T {
    // A proxy behind an object: it is asked for a method once, and puts it into the object.
    const proxy = new Proxy(Object.create(null) as object, {
      get: (_target, member, service: object) => {
        // Asking for `then` is how await finds out that this is no promise.
        if (typeof member !== 'string' || member === 'then') return undefined;
        const full = `${name}.${member}`;
        const method = (body: object, options?: CallOptions) => this.#call(full, body, options);
        // Whoever puts a proxy before the object may answer something else for it.
        Object.defineProperty(service, member, { value: method, configurable: true, writable: true });
        return method;
      },
    });
    return Object.create(proxy) as T;
  }

  onStateChange(listener: (state: RemoteState) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const error = new ServiceError('UNREACHABLE', 'closed by this side');
    this.#whyDown = error;
    this.#attempt?.close(error);
    this.#connection?.close(error);
    this.#failHeld(error);
    this.#deadlines.close();
    this.#change('down');
  }

  abandoned(call: Call, reason: 'deadline' | 'cancelled'): void {
    if (this.#held.delete(call) || call.id === undefined || this.#inFlight.get(call.id) !== call) return;
    if (reason === 'deadline' && this.#options.closeOnDeadline === true) {
      this.#connection?.close(new ServiceError('UNREACHABLE', `${this.#options.name} missed a deadline`));
      return;
    }
    this.#connection?.send(encodeCancel(call.id));
  }

  #call(method: string, body: object, options: CallOptions | undefined): Promise<object> {
    const { name, deadlineMs, whileDown } = this.#options;
    const signal = options?.signal;
    if (signal?.aborted) return Promise.reject(new ServiceError('CANCELLED', `${method} to ${name} was cancelled`));
    const waits = whileDown === 'wait' && !this.#closed && this.#whyDown.code !== 'REFUSED';
    if (this.#connection === undefined && !waits) return Promise.reject(this.#whyDown);
    const limits = { deadlineMs: options?.deadlineMs ?? deadlineMs, signal };
    const call = new Call(method, body, limits, name, this.#deadlines, this);
    if (this.#held.size === 0 && this.#maySend()) this.#send(call);
    else this.#hold(call);
    return call.result;
  }

  #maySend(): boolean {
    return (
      this.#connection !== undefined &&
      this.#inFlight.size < MAXIMUM_REQUESTS_IN_FLIGHT &&
      this.#connection.queuedBytes < REQUEST_QUEUE_BYTES
    );
  }

  #send(call: Call): void {
    this.#nextId = (this.#nextId + 1) >>> 0;
    const id = this.#nextId;
    try {
      const chunks = encodeRequest(id, call.method, call.takeBody());
      call.id = id;
      this.#inFlight.set(id, call);
      this.#connection?.send(chunks);
    } catch (error) {
      call.fail(asError(error));
    }
  }

  #hold(call: Call): void {
    this.#held.add(call);
    this.#pollHeld();
  }

  /** A reply releases held calls, and so does a queue that has shrunk, which nobody reports. */
  #pollHeld(): void {
    if (this.#heldPolled || this.#held.size === 0 || this.#connection === undefined) return;
    this.#heldPolled = true;
    this.#clock.after(HELD_POLL_MS, () => {
      this.#heldPolled = false;
      this.#release();
    });
  }

  #release(): void {
    for (const call of this.#held) {
      if (!this.#maySend()) break;
      this.#held.delete(call);
      this.#send(call);
    }
    this.#pollHeld();
  }

  #take(message: Message, connection: Connection, payloads: Buffer | undefined): void {
    switch (message.kind) {
      case 'reply':
      case 'failure': {
        const call = this.#inFlight.get(message.id);
        if (call === undefined) throw malformed(`a reply to request ${message.id}, which was not made`);
        this.#inFlight.delete(message.id);
        if (message.kind === 'reply') {
          if (payloads !== undefined) lend(message.body, () => connection.release(payloads));
          call.succeed(message.body);
        } else {
          call.fail(message.error);
        }
        if (this.#held.size > 0) this.#release();
        return;
      }
      case 'request':
      case 'cancel':
        throw malformed('a request from a server');
    }
  }

  async #stayConnected(): Promise<void> {
    let backoffMs = FIRST_BACKOFF_MS;
    while (!this.#closed) {
      const wasUp = await this.#connectOnce();
      if (this.#closed) return;
      backoffMs = wasUp ? FIRST_BACKOFF_MS : backoffMs;
      // Not all clients of a server that comes back knock at the same moment.
      await sleep(this.#clock, backoffMs * (0.5 + this.#runtime.random.fraction() / 2));
      backoffMs = Math.min(backoffMs * 2, LONGEST_BACKOFF_MS);
    }
  }

  /** One connection from the attempt to its end; whether it was ever up. */
  async #connectOnce(): Promise<boolean> {
    let socket: Socket;
    try {
      socket = await this.#open();
    } catch (error) {
      const words = messageOf(error);
      this.#down(new ServiceError('UNREACHABLE', `${this.#options.name} can't be reached: ${words}`));
      return false;
    }
    if (this.#closed) {
      socket.destroy();
      return false;
    }
    return new Promise((resolve) => {
      let wasUp = false;
      const connection = new Connection({
        socket,
        handshake: new ClientHandshake(this.#options.secret, this.#runtime.random.bytes(NONCE_BYTES)),
        handshakeDeadlineMs: this.#options.connectDeadlineMs ?? HANDSHAKE_DEADLINE_MS,
        clock: this.#clock,
        events: {
          opened: () => {
            wasUp = true;
            this.#up(connection);
          },
          message: (message, _sizeBytes, payloads) => this.#take(message, connection, payloads),
          closed: (error) => {
            this.#attempt = undefined;
            this.#down(new ServiceError(error.code, `${this.#options.name}: ${error.message}`));
            resolve(wasUp);
          },
        },
      });
      this.#attempt = connection;
    });
  }

  async #open(): Promise<Socket> {
    const { address, unixPath, connectDeadlineMs = HANDSHAKE_DEADLINE_MS } = this.#options;
    if (unixPath !== undefined) {
      try {
        return await this.#runtime.network.connect(`unix:${unixPath}`, connectDeadlineMs);
      } catch (error) {
        const reason = messageOf(error);
        this.#runtime.log.debug('connection.unix_unavailable', { server: this.#options.name, unixPath, reason });
      }
    }
    return this.#runtime.network.connect(address, connectDeadlineMs);
  }

  #up(connection: Connection): void {
    this.#attempt = undefined;
    this.#connection = connection;
    this.#runtime.log.info('connection.up', { server: this.#options.name, peer: connection.peer });
    this.#change('up');
    this.#release();
  }

  #down(error: ServiceError): void {
    const wasUp = this.#connection !== undefined;
    this.#connection = undefined;
    this.#logDown(error);
    // To a caller only REFUSED says more than that the fate of its call is unknown.
    const reason = error.code === 'REFUSED' ? error : new ServiceError('UNREACHABLE', error.message);
    if (!this.#closed) this.#whyDown = reason;
    this.#change('down');
    const lost = this.#inFlight;
    this.#inFlight = new Map();
    for (const call of lost.values()) call.fail(reason);
    // What was held back while it was up belongs to what was sent: the next connection gets only what its users know it for.
    if (wasUp || this.#options.whileDown === 'fail' || error.code === 'REFUSED') this.#failHeld(reason);
  }

  #failHeld(error: ServiceError): void {
    const held = [...this.#held];
    this.#held.clear();
    for (const call of held) call.fail(error);
  }

  #logDown(error: ServiceError): void {
    const { log } = this.#runtime;
    const fields = { server: this.#options.name, address: this.#options.address, reason: error.message };
    if (error.code === 'MALFORMED') log.warn('connection.malformed', fields);
    else if (error.code === 'FAILED') log.error('connection.failed', fields);
    // Closing on purpose is no news, and neither is an attempt that fails like the one before.
    else if (this.#closed || this.state === 'down') log.debug('connection.down', fields);
    else log.warn(error.code === 'REFUSED' ? 'auth.refused' : 'connection.down', fields);
  }

  #change(state: RemoteState): void {
    if (this.state === state) return;
    this.state = state;
    for (const listener of this.#listeners) {
      try {
        listener(state);
      } catch (error) {
        this.#runtime.log.error('connection.listener_failed', {
          server: this.#options.name,
          stack: stackOf(error),
        });
      }
    }
  }
}
