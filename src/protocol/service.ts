// The shape that all services share: a method takes one plain object and
// answers with one. That is all the transport needs to know to carry them.

export interface CallOptions {
  /** Milliseconds until the call fails with DEADLINE; the connection's default when absent. */
  deadlineMs?: number;
  /** Aborting fails the call with CANCELLED; the other side may still carry it out. */
  signal?: AbortSignal;
}

// A service is an interface whose every member takes (request, CallOptions?)
// and answers a promise of an object. Requests and results are made of plain
// objects, arrays, strings, finite numbers, booleans, bigints within 64 bits,
// null, and Uint8Array. Byte arrays travel raw, outside of the encoded header.
