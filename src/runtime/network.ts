// The network is passed in as sockets that carry bytes, so that the very same
// connection code runs over TCP, Unix sockets and the simulation.

/** A reliable, ordered stream of bytes. */
export interface Socket {
  /**
   * Queues chunks in order. The chunks belong to the socket until they are sent: do not change them.
   * @param sent called when nobody looks at the chunks any more; never, when the socket ends before
   */
  write(chunks: readonly Uint8Array[], sent?: () => void): void;
  /** Bytes queued and not yet handed to the system. */
  queuedBytes(): number;
  /**
   * The one receiver; `chunk` is valid only during the call and must be copied to be kept.
   * @param room asked after each chunk, if given: memory to read the next bytes into, from its beginning on. They then come to
   * `receive` as a view of it, which saves a copy. Undefined: the socket uses memory of its own. The memory is lent until the
   * next chunk has come.
   */
  onData(receive: (chunk: Uint8Array) => void, room?: () => Uint8Array | undefined): void;
  /** Called once, when the socket is closed by either side or breaks. */
  onClose(closed: (reason: Error | undefined) => void): void;
  /** Stops or resumes calls of the receiver. */
  pause(): void;
  resume(): void;
  destroy(): void;
  /** The other side, for log lines. */
  readonly peer: string;
}

/** A request on the HTTP face of a port; bodies are whole. Header names are lower-case. */
export interface HttpRequest {
  method: string;
  path: string;
  /** What follows the question mark; empty when there is none. */
  query: string;
  headers: Readonly<Record<string, string | undefined>>;
  body: Uint8Array;
}

export interface HttpReply {
  status: number;
  headers?: Record<string, string>;
  body: string | Uint8Array;
  /** The body goes on: called once when the head is sent; what it writes comes after `body`. */
  stream?: (output: HttpStream) => void;
}

/** A reply's body that is sent as it comes into being. */
export interface HttpStream {
  /** Queues a chunk; of no effect once it is closed. */
  write(chunk: Uint8Array): void;
  /** Bytes queued and not yet handed to the system. */
  queuedBytes(): number;
  /** Called once, when either side has ended it. */
  onClose(closed: () => void): void;
  end(): void;
  /** Ends it at once; what is queued is lost. */
  drop(): void;
}

export interface ListenOptions {
  /** `HOST:PORT`; port 0 takes a free one. */
  address: string;
  /** A Unix-domain socket's path that accepts the same, besides. */
  unixPath?: string;
  /** A connection that asked for the binary protocol. */
  onSocket(socket: Socket): void;
  /** Everything else that arrives by HTTP. */
  onHttp(request: HttpRequest): Promise<HttpReply>;
  /** Asked before the body is read, when there: its reply is sent instead of the body being read. */
  refuseHttp?(request: Omit<HttpRequest, 'body'>): HttpReply | undefined;
  /** Larger HTTP bodies are refused with 413 before they are read. */
  maximumHttpBodyBytes: number;
}

export interface Listener {
  /** The address with its real port. */
  readonly address: string;
  close(): Promise<void>;
}

export interface Network {
  /** Connects and switches to the binary protocol. `address` is HOST:PORT or unix:PATH. Rejects when it can't within the deadline. */
  connect(address: string, deadlineMs: number): Promise<Socket>;
  listen(options: ListenOptions): Promise<Listener>;
}
