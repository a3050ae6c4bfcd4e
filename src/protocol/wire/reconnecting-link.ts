// Keeps a connection to one server: connects, and connects again with growing
// pauses whenever the connection is lost, until it is closed.
import type { Buffer } from 'node:buffer';
import { messageOf } from '../../runtime/caught-errors.js';
import { sleep } from '../../runtime/clock.js';
import type { Socket } from '../../runtime/network.js';
import type { Runtime } from '../../runtime/runtime.js';
import { ServiceError } from '../errors.js';
import { HANDSHAKE_DEADLINE_MS } from '../limits.js';
import { ClientHandshake, NONCE_BYTES } from './authentication.js';
import type { Message } from './codec.js';
import { Connection } from './connection.js';

const FIRST_BACKOFF_MS = 20;
const LONGEST_BACKOFF_MS = 500;

/** A server, and how to reach it. */
export interface Destination {
  /** HOST:PORT */
  address: string;
  /** Preferred when connecting to it works. */
  unixPath?: string;
  /** For log lines and errors: data1, meta1 … */
  name: string;
  secret?: string;
  /** For connecting and, again, for the handshake; 5 seconds when absent. */
  connectDeadlineMs?: number;
}

export interface LinkEvents {
  /** The handshake is through. */
  up(connection: Connection): void;
  received(message: Message, connection: Connection, payloads: Buffer | undefined): void;
  /** An attempt to connect has failed, or the connection has ended. */
  down(error: ServiceError): void;
}

export class ReconnectingLink {
  /** From the start of the handshake to the connection's end. */
  #connection: Connection | undefined;
  #closed = false;

  readonly #destination: Destination;
  readonly #runtime: Runtime;
  readonly #events: LinkEvents;

  constructor(destination: Destination, runtime: Runtime, events: LinkEvents) {
    this.#destination = destination;
    this.#runtime = runtime;
    this.#events = events;
    // Never rejects: it ends when this is closed.
    void this.#stayConnected();
  }

  /** Ends the connection, if there is one, with this error; connects no more. */
  close(error: ServiceError): void {
    this.#closed = true;
    this.#connection?.close(error);
  }

  async #stayConnected(): Promise<void> {
    let backoffMs = FIRST_BACKOFF_MS;
    while (!this.#closed) {
      const wasUp = await this.#connectOnce();
      if (this.#closed) return;
      backoffMs = wasUp ? FIRST_BACKOFF_MS : backoffMs;
      // Jitter: the clients of a server that comes back do not all connect at the same moment.
      await sleep(this.#runtime.clock, backoffMs * (0.5 + this.#runtime.random.fraction() / 2));
      backoffMs = Math.min(backoffMs * 2, LONGEST_BACKOFF_MS);
    }
  }

  /** One connection from the attempt to its end; whether it was ever up. */
  async #connectOnce(): Promise<boolean> {
    const { name, secret, connectDeadlineMs = HANDSHAKE_DEADLINE_MS } = this.#destination;
    let socket: Socket;
    try {
      socket = await this.#open(connectDeadlineMs);
    } catch (error) {
      this.#events.down(new ServiceError('UNREACHABLE', `${name} can't be reached: ${messageOf(error)}`));
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
        handshake: new ClientHandshake(secret, this.#runtime.random.bytes(NONCE_BYTES)),
        handshakeDeadlineMs: connectDeadlineMs,
        clock: this.#runtime.clock,
        events: {
          opened: () => {
            wasUp = true;
            this.#events.up(connection);
          },
          message: (message, _sizeBytes, payloads) => this.#events.received(message, connection, payloads),
          closed: (error) => {
            this.#connection = undefined;
            this.#events.down(new ServiceError(error.code, `${name}: ${error.message}`));
            resolve(wasUp);
          },
        },
      });
      this.#connection = connection;
    });
  }

  async #open(connectDeadlineMs: number): Promise<Socket> {
    const { name, address, unixPath } = this.#destination;
    const { network, log } = this.#runtime;
    if (unixPath !== undefined) {
      try {
        return await network.connect(`unix:${unixPath}`, connectDeadlineMs);
      } catch (error) {
        log.debug('connection.unix_unavailable', { server: name, unixPath, reason: messageOf(error) });
      }
    }
    return network.connect(address, connectDeadlineMs);
  }
}
