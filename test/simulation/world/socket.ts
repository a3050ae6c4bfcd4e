// One end of a simulated connection: bytes arrive late, in other pieces than
// they were sent in, and not at all once the connection is gone.
import type { Socket } from '../../../src/runtime/network.js';
import type { RecordedStream } from '../recording/recorded-connection.js';
import type { Recorder } from '../recording/recorder.js';
import type { SimulatedProcess } from './process.js';
import type { SeededRandom } from './seeded-random.js';

/** What a system takes from a sender before the sender has to queue. */
const SYSTEM_BUFFER_BYTES = 256 * 1024;

/** What the network between two ends does. */
export interface Link {
  /** Microseconds for the next piece. */
  delayUs(): number;
  /** Nothing comes to the host for now. */
  isCutTo(host: string): boolean;
  isPowered(host: string): boolean;
  /** Called for each message. */
  sent(): void;
  readonly random: SeededRandom;
}

export class SimulatedSocket implements Socket {
  #other: SimulatedSocket | null = null;
  #state: 'open' | 'closed' | 'vanished' = 'open';
  #receive: ((chunk: Uint8Array) => void) | null = null;
  #closed: ((reason: Error | undefined) => void) | null = null;
  /** Sent by the other end and not delivered. */
  #incoming: Buffer[] = [];
  #incomingBytes = 0;
  /** The other end is closed: so is this one once it has got what was sent before. */
  #end: { reason: Error | undefined } | null = null;
  #isScheduled = false;
  #isPaused = false;
  /** Of what comes to this end; null where nothing is recorded. */
  #recorded: RecordedStream | null = null;
  readonly #forgetDeath: () => void;

  readonly #link: Link;

  constructor(
    readonly process: SimulatedProcess,
    readonly peer: string,
    link: Link,
  ) {
    this.#link = link;
    this.#forgetDeath = process.onDeath(() => this.#hangUp());
  }

  static pair(
    client: SimulatedProcess,
    server: SimulatedProcess,
    link: Link,
    recorder?: Recorder,
  ): [SimulatedSocket, SimulatedSocket] {
    const one = new SimulatedSocket(client, server.host, link);
    const other = new SimulatedSocket(server, client.host, link);
    one.#other = other;
    other.#other = one;
    if (recorder !== undefined) {
      const { toClient, toServer } = recorder.connection(client.host, server.host);
      one.#recorded = toClient;
      other.#recorded = toServer;
    }
    return [one, other];
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  write(chunks: readonly Uint8Array[], sent?: () => void): void {
    if (this.#state !== 'open') return;
    const other = this.#other;
    if (other === null) return;
    this.#link.sent();
    if (other.#state !== 'vanished') {
      const bytes = Buffer.concat(chunks);
      other.#recorded?.sent(bytes);
      other.#arrive(bytes);
      sent?.();
    } else if (this.#link.isPowered(this.peer)) {
      // The host has booted since, and knows nothing of this connection.
      this.process.after(this.#link.delayUs(), () => this.break('the connection was reset'));
    }
  }

  queuedBytes(): number {
    return this.#other === null ? 0 : Math.max(0, this.#other.#incomingBytes - SYSTEM_BUFFER_BYTES);
  }

  onData(receive: (chunk: Uint8Array) => void): void {
    this.#receive = receive;
    this.kick();
  }

  onClose(closed: (reason: Error | undefined) => void): void {
    this.#closed = closed;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.kick();
  }

  destroy(): void {
    if (this.#state !== 'open') return;
    this.#hangUp();
    this.process.after(0, () => this.#closed?.(undefined));
  }

  /** The connection breaks at this end, at once. */
  break(words: string): void {
    if (this.#state !== 'open') return;
    this.#leave();
    this.#closed?.(new Error(words));
  }

  /** The power went: the other end is told nothing. */
  vanish(): void {
    this.#leave();
    this.#state = 'vanished';
  }

  /** Something has changed that may let bytes pass. */
  kick(): void {
    const isWaiting = this.#incoming.length > 0 || this.#end !== null;
    if (
      this.#isScheduled ||
      this.#isPaused ||
      !isWaiting ||
      this.#receive === null ||
      this.#link.isCutTo(this.process.host)
    )
      return;
    this.#isScheduled = true;
    this.process.after(this.#link.delayUs(), () => {
      this.#isScheduled = false;
      this.#deliver();
    });
  }

  #arrive(bytes: Buffer): void {
    if (this.#state !== 'open') return;
    this.#incoming.push(bytes);
    this.#incomingBytes += bytes.length;
    this.kick();
  }

  /** Hands over what has come, or a part of it. */
  #deliver(): void {
    if (this.#state !== 'open' || this.#isPaused || this.#link.isCutTo(this.process.host)) return;
    if (this.#incoming.length > 0) {
      const all = this.#incoming.length === 1 ? (this.#incoming[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#incoming);
      const isSplit = all.length > 1 && this.#link.random.chance(0.1);
      const taken = isSplit ? this.#link.random.between(1, all.length - 1) : all.length;
      this.#incoming = taken < all.length ? [all.subarray(taken)] : [];
      this.#incomingBytes = all.length - taken;
      const chunk = all.subarray(0, taken);
      this.#recorded?.arrived(taken);
      this.#receive?.(chunk);
      // A chunk is valid only during the call: whoever keeps it keeps rubbish.
      chunk.fill(0xdd);
    } else if (this.#end !== null) {
      const { reason } = this.#end;
      this.#leave();
      this.#closed?.(reason);
      return;
    }
    this.kick();
  }

  /** Closes this end; the other gets what was on its way, or a part of it, and then the news. */
  #hangUp(): void {
    if (this.#state !== 'open') return;
    this.#leave();
    const other = this.#other;
    if (other === null || other.#state !== 'open') return;
    if (this.#link.random.chance(0.3)) other.#loseTail();
    other.#end = { reason: undefined };
    other.kick();
  }

  #loseTail(): void {
    if (this.#incoming.length === 0) return;
    const all = Buffer.concat(this.#incoming);
    const kept = all.subarray(0, this.#link.random.between(0, all.length));
    this.#incoming = kept.length > 0 ? [kept] : [];
    this.#incomingBytes = kept.length;
    this.#recorded?.cutAfter(kept.length);
  }

  #leave(): void {
    this.#state = 'closed';
    this.#recorded?.end();
    this.#incoming = [];
    this.#incomingBytes = 0;
    this.#forgetDeath();
  }
}
