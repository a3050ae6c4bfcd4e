// The shape that all services share: a method takes one plain object and
// answers with one. That is all the transport needs to know to carry them.

export interface CallOptions {
  /** Milliseconds until the call fails with DEADLINE; the connection's default when absent. */
  deadlineMs?: number;
  /** Aborting fails the call with CANCELLED; the other side may still carry it out. */
  signal?: AbortSignal;
}

/**
 * A service is an interface whose every member is such a method. Arguments and
 * results are made of undefined-free plain objects, arrays, strings, finite
 * numbers, booleans, bigints within 64 bits, null, and Uint8Array. Byte arrays
 * travel raw, outside of the encoded header.
 */
// biome-ignore lint/suspicious/noExplicitAny: the constraint of a generic, where unknown would refuse every concrete method
export type Method = (request: any, options?: CallOptions) => Promise<object>;

/** T when every member of T is a Method. */
export type Service<T> = { [K in keyof T]: T[K] extends Method ? T[K] : never };
