// The calling end of a connection to one server. Calls are numbered and
// pipelined. Calls that are in flight when the connection breaks fail at once
// with OUTCOME_UNKNOWN, since nobody can know whether the server carried them out.
import type { Buffer } from 'node:buffer';
import { asError, stackOf } from '../../runtime/caught-errors.js';
import { Deadlines } from '../../runtime/deadlines.js';
import type { Runtime } from '../../runtime/runtime.js';
import { malformed, ServiceError } from '../errors.js';
import { MAXIMUM_REQUESTS_IN_FLIGHT, REQUEST_QUEUE_BYTES } from '../limits.js';
import type { CallOptions } from '../services/service.js';
import { Call, type CallEvents } from './call.js';
import { encodeCancel, encodeRequest, type Message } from './codec.js';
import type { Connection } from './connection.js';
import { lend } from './lent.js';
import { type Destination, type LinkEvents, ReconnectingLink } from './reconnecting-link.js';

/** How often to look whether a slow network takes the calls that were held back. */
const HELD_POLL_MS = 4;

export type RemoteState = 'connecting' | 'up' | 'down';

export interface RemoteOptions extends Destination {
  /**
   * Default deadline per call. A connection is given up when a call that had so long, or longer, misses its deadline and nothing at all
   * was received meanwhile: after a cut, TCP tries an old connection again only after as long as the cut was.
   */
  deadlineMs: number;
  /** Calls made while not connected: 'fail' at once with UNREACHABLE, or 'wait' for the connection until their deadline. */
  whileDown: 'fail' | 'wait';
}

export interface Remote {
  /**
   * A typed proxy: method(request, options) sends "name.method". Calls fail with what the other side failed with
   * (FileError, ServiceError), or UNREACHABLE (not sent), OUTCOME_UNKNOWN (sent when the connection broke), DEADLINE,
   * CANCELLED, MALFORMED (the request can't travel) or REFUSED (wrong secret, while that lasts).
   */
  service<T>(name: string): T;
  /** 'connecting' until the first attempt's outcome is known, then 'up' or 'down'. */
  readonly state: RemoteState;
  /** Whether the last connection was given up since nothing came: the server hangs, or is cut off. */
  readonly fellSilent: boolean;
  /** Called at each change, before the calls that fail through it. */
  onStateChange(listener: (state: RemoteState) => void): void;
  close(): Promise<void>;
}

/** Connects in the background, and again whenever the connection is lost. */
export function connectRemote(options: RemoteOptions, runtime: Runtime): Remote {
  return new ReconnectingRemote(options, runtime);
}

class ReconnectingRemote implements Remote, CallEvents, LinkEvents {
  state: RemoteState = 'connecting';
  fellSilent = false;
  readonly #options: RemoteOptions;
  readonly #runtime: Runtime;
  readonly #deadlines: Deadlines;
  readonly #listeners: ((state: RemoteState) => void)[] = [];
  /** The connection when it is open. */
  #connection: Connection | undefined;
  readonly #link: ReconnectingLink;
  /** Sent and not answered. A call that its caller abandoned stays until its reply comes: the server is still busy with it. */
  #inFlight = new Map<number, Call>();
  /** Not sent yet, in order. */
  readonly #held = new Set<Call>();
  #heldPolled = false;
  #nextId = 0;
  /** Messages of this connection and those before. */
  #received = 0;
  #whyDown: ServiceError;
  #closed = false;

  constructor(options: RemoteOptions, runtime: Runtime) {
    this.#options = options;
    this.#runtime = runtime;
    this.#deadlines = new Deadlines(runtime.clock);
    this.#whyDown = new ServiceError('UNREACHABLE', `not connected to ${options.name} yet`);
    this.#link = new ReconnectingLink(options, runtime, this);
  }

  service<T>(name: string): T {
    // The object's prototype is a proxy, which is asked for each method once: it puts the method into the object.
    const proxy = new Proxy(Object.create(null) as object, {
      get: (_target, member, service: object) => {
        // `await` asks for `then` to see whether this is a promise.
        if (typeof member !== 'string' || member === 'then') return undefined;
        const full = `${name}.${member}`;
        const method = (body: object, options?: CallOptions) => this.#call(full, body, options);
        // Configurable, so that a proxy around this object may answer another method in its place.
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
    this.#link.close(error);
    this.#failHeld(error);
    this.#deadlines.close();
    this.#change('down');
  }

  abandoned(call: Call, reason: 'deadline' | 'cancelled'): void {
    if (this.#held.delete(call) || call.id === undefined || this.#inFlight.get(call.id) !== call) return;
    const { name, deadlineMs } = this.#options;
    if (reason === 'deadline' && call.deadlineMs >= deadlineMs && call.receivedBefore === this.#received) {
      this.fellSilent = true;
      this.#connection?.close(new ServiceError('UNREACHABLE', `${name} was silent for ${call.deadlineMs} ms`));
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
      call.receivedBefore = this.#received;
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

  /** Held calls may go when a reply has come or the socket's queue has shrunk. Nobody reports the latter: it is polled. */
  #pollHeld(): void {
    if (this.#heldPolled || this.#held.size === 0 || this.#connection === undefined) return;
    this.#heldPolled = true;
    this.#runtime.clock.after(HELD_POLL_MS, () => {
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

  received(message: Message, connection: Connection, payloads: Buffer | undefined): void {
    this.#received++;
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

  up(connection: Connection): void {
    this.#connection = connection;
    this.fellSilent = false;
    this.#runtime.log.info('connection.up', { server: this.#options.name, peer: connection.peer });
    this.#change('up');
    this.#release();
  }

  down(error: ServiceError): void {
    const wasUp = this.#connection !== undefined;
    this.#connection = undefined;
    if (!wasUp) this.fellSilent = false;
    this.#logDown(error);
    // REFUSED tells a caller why; every other code only means that there is no connection.
    const reason = error.code === 'REFUSED' ? error : new ServiceError('UNREACHABLE', error.message);
    if (!this.#closed) this.#whyDown = reason;
    this.#change('down');
    const lost = this.#inFlight;
    this.#inFlight = new Map();
    if (lost.size > 0) {
      const unknown = new ServiceError('OUTCOME_UNKNOWN', error.message);
      for (const call of lost.values()) call.fail(unknown);
    }
    // Calls that were held back while the connection was up fail with those that were sent. Only calls that were made
    // while it was down wait for the next one.
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
    // Closing on purpose is no news; neither is a further attempt that fails.
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
