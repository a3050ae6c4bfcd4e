// The shape that all services share: a method takes one plain object and
// answers with one. That is all the transport needs to know to carry them.

export interface CallOptions {
  /** Milliseconds until the call fails with DEADLINE; the connection's default when absent. */
  deadlineMs?: number;
  /** Aborting fails the call with CANCELLED; the other side may still carry it out. */
  signal?: AbortSignal;
  /**
   * Who calls: the same object for all calls of one connection, given by whoever serves it (or by a caller in the same
   * process). It does not travel.
   */
  peer?: object;
}

/** The same service with `peer` in every call's options: for a caller in the same process, who has no connection to be known by. */
export function asPeer<T extends object>(service: T, peer: object): T {
  const calls = new Map<string | symbol, unknown>();
  return new Proxy(service, {
    get(target, member) {
      const known = calls.get(member);
      if (known !== undefined) return known;
      const method: unknown = Reflect.get(target, member);
      if (typeof method !== 'function') return method;
      const call = (request: object, options?: CallOptions) => method.call(target, request, { ...options, peer });
      calls.set(member, call);
      return call;
    },
  });
}

// A service is an interface whose every member takes (request, CallOptions?)
// and answers a promise of an object. Requests and results are made of plain
// objects, arrays, strings, finite numbers, booleans, bigints within 128 bits,
// null, and Uint8Array. Byte arrays travel raw, outside of the encoded header.
