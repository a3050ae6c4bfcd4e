// A network within the process, without faults: for tests of what speaks over
// one. It keeps the contract strictly: a chunk is overwritten once it was lent.
import type { HttpReply, HttpRequest, Listener, ListenOptions, Network, Socket } from '../../src/runtime/network.js';

const FIRST_PORT = 20_000;

export class MemoryNetwork implements Network {
  readonly #listening = new Map<string, ListenOptions>();
  #nextPort = FIRST_PORT;

  async connect(address: string, _deadlineMs: number): Promise<Socket> {
    const options = this.#listening.get(address);
    if (options === undefined) throw new Error(`nobody listens at ${address}`);
    const [near, far] = socketPair(address, 'memory');
    options.onSocket(far);
    return near;
  }

  async listen(options: ListenOptions): Promise<Listener> {
    const address = options.address.endsWith(':0')
      ? `${options.address.slice(0, -1)}${this.#nextPort++}`
      : options.address;
    const names = options.unixPath === undefined ? [address] : [address, `unix:${options.unixPath}`];
    for (const name of names) {
      if (this.#listening.has(name)) throw Object.assign(new Error(`${name} is taken`), { code: 'EADDRINUSE' });
    }
    const sockets = new Set<Socket>();
    const onSocket = (socket: Socket): void => {
      sockets.add(socket);
      options.onSocket(socket);
    };
    for (const name of names) this.#listening.set(name, { ...options, onSocket });
    return {
      address,
      close: async () => {
        for (const name of names) this.#listening.delete(name);
        for (const socket of sockets) socket.destroy();
      },
    };
  }

  /** What an HTTP client would get. */
  async http(address: string, request: HttpRequest): Promise<HttpReply> {
    const options = this.#listening.get(address);
    if (options === undefined) throw new Error(`nobody listens at ${address}`);
    if (request.body.length > options.maximumHttpBodyBytes) return { status: 413, body: '' };
    return options.onHttp(request);
  }
}

/** Two ends of one connection; the first sees `farName` as its peer. */
export function socketPair(farName = 'far', nearName = 'near'): [Socket, Socket] {
  const near = new MemorySocket(farName);
  const far = new MemorySocket(nearName);
  near.other = far;
  far.other = near;
  return [near, far];
}

class MemorySocket implements Socket {
  other: MemorySocket | undefined;
  /** What this end has been sent and has not taken. */
  readonly #arrived: Uint8Array[] = [];
  #receive: ((chunk: Uint8Array) => void) | undefined;
  #room: (() => Uint8Array | undefined) | undefined;
  #closed: ((reason: Error | undefined) => void) | undefined;
  #paused = false;
  #state: 'open' | 'ending' | 'closed' = 'open';
  #scheduled = false;

  constructor(readonly peer: string) {}

  write(chunks: readonly Uint8Array[], sent?: () => void): void {
    if (this.#state !== 'open') return;
    this.other?.arrive(chunks.map((chunk) => Uint8Array.from(chunk)));
    sent?.();
  }

  arrive(chunks: readonly Uint8Array[]): void {
    this.#arrived.push(...chunks.filter((chunk) => chunk.length > 0));
    this.#schedule();
  }

  queuedBytes(): number {
    return this.other?.waitingBytes() ?? 0;
  }

  waitingBytes(): number {
    return this.#arrived.reduce((sum, { length }) => sum + length, 0);
  }

  onData(receive: (chunk: Uint8Array) => void, room?: () => Uint8Array | undefined): void {
    this.#receive = receive;
    this.#room = room;
    this.#schedule();
  }

  onClose(closed: (reason: Error | undefined) => void): void {
    this.#closed = closed;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  destroy(): void {
    if (this.#state === 'closed') return;
    this.#close();
    this.other?.end();
  }

  /** The other end is gone: what it sent is still delivered. */
  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.#schedule();
  }

  #close(): void {
    this.#state = 'closed';
    this.#arrived.length = 0;
    queueMicrotask(() => this.#closed?.(undefined));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    while (!this.#paused && this.#state !== 'closed' && this.#receive !== undefined) {
      const chunk = this.#arrived.shift();
      if (chunk === undefined) break;
      const room = this.#room?.();
      if (room !== undefined) {
        const part = chunk.subarray(0, room.length);
        if (part.length < chunk.length) this.#arrived.unshift(chunk.subarray(part.length));
        room.set(part);
        this.#receive(room.subarray(0, part.length));
        continue;
      }
      const lent = Uint8Array.from(chunk);
      this.#receive(lent);
      lent.fill(0xee);
    }
    if (this.#state === 'ending' && this.#arrived.length === 0) this.#close();
  }
}
