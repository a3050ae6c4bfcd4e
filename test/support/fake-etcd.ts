// An etcd in memory that answers what etcd's JSON gateway answers, as far as nmrfs asks: transactions, ranges, leases, compaction,
// users. It can be away, lose requests or answers, carry requests out late, and be full.

import type { Clock } from '../../src/runtime/clock.js';
import type { HttpAnswer, HttpClient } from '../../src/runtime/http-client.js';

interface Value {
  value: string;
  create: number;
  mod: number;
  lease: string | null;
}

interface Lease {
  seconds: number;
  endsMs: number;
}

/** What happens to a request. `late`: it is carried out after its caller has given up. */
export type Fate = 'answered' | 'request lost' | 'answer lost' | 'late';

interface Raw {
  key?: string;
  range_end?: string;
  value?: string;
  lease?: string;
  limit?: string;
}

interface RawOperation {
  request_put?: Raw;
  request_range?: Raw;
  request_delete_range?: Raw;
}

interface RawCompare {
  key: string;
  target: 'CREATE' | 'MOD';
  create_revision?: string;
  mod_revision?: string;
}

export const ENDPOINT = 'http://etcd:2379';

/** Of requests whose outcome is not known: etcd may carry them out this much later. */
const LATE_MS = 1500;

export class FakeEtcd implements HttpClient {
  isAway = false;
  /** Takes nothing that needs room. */
  isFull = false;
  /** Decides for each request; all are answered when absent. */
  fate: (path: string) => Fate = () => 'answered';
  /** Answers keepalives as a member does that takes itself for the leader: it prolongs nothing. */
  hasStaleLeases = false;
  /** Endpoints that accept requests and never answer. */
  readonly hanging = new Set<string>();
  user: { name: string; password: string } | null = null;
  readonly asked: string[] = [];
  #token = 'token1';
  #revision = 1;
  #leases = 0;
  readonly #values = new Map<string, Value>();
  readonly #granted = new Map<string, Lease>();

  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async post(
    url: string,
    body: string,
    headers: Readonly<Record<string, string>>,
    deadlineMs: number,
  ): Promise<HttpAnswer> {
    const { origin, pathname } = new URL(url);
    this.asked.push(`${origin}${pathname}`);
    if (this.isAway) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const fate = this.hanging.has(origin) ? 'request lost' : this.fate(pathname);
    if (fate === 'answered') return this.#carryOut(pathname, body, headers);
    if (fate === 'answer lost') this.#carryOut(pathname, body, headers);
    if (fate === 'late') this.#clock.after(LATE_MS, () => this.#carryOut(pathname, body, headers));
    await new Promise<void>((resolve) => void this.#clock.after(deadlineMs, resolve));
    throw new Error('no answer in time');
  }

  /** Keys in their order. */
  keys(prefix = ''): string[] {
    this.#expire();
    return [...this.#values.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  get(key: string): string | undefined {
    this.#expire();
    return this.#values.get(key)?.value;
  }

  /** As another program would. */
  put(key: string, value: string): void {
    this.#put(key, value, null);
  }

  remove(prefix: string): void {
    for (const key of this.keys(prefix)) this.#values.delete(key);
    this.#revision++;
  }

  forgetTokens(): void {
    this.#token = `${this.#token}x`;
  }

  #carryOut(path: string, body: string, headers: Readonly<Record<string, string>>): HttpAnswer {
    this.#expire();
    const request = JSON.parse(body) as Record<string, unknown>;
    if (path === '/v3/auth/authenticate') return this.#authenticate(request);
    if (this.user !== null && headers.Authorization === undefined)
      return failure(400, 3, 'etcdserver: user name is empty');
    if (this.user !== null && headers.Authorization !== this.#token)
      return failure(401, 16, 'etcdserver: invalid auth token');
    switch (path) {
      case '/v3/kv/txn':
        return this.#transaction(request);
      case '/v3/kv/range':
        return answer({ header: this.#header, kvs: this.#range(request) });
      case '/v3/lease/grant': {
        if (this.isFull) return FULL;
        const ID = String(++this.#leases);
        const seconds = Number(request.TTL);
        this.#granted.set(ID, { seconds, endsMs: this.#clock.monotonicMs() + seconds * 1000 });
        return answer({ header: this.#header, ID, TTL: String(seconds) });
      }
      case '/v3/lease/keepalive':
        return this.#keepAlive(String(request.ID));
      case '/v3/lease/revoke':
        this.#end(String(request.ID));
        return answer({ header: this.#header });
      case '/v3/kv/compaction':
        return answer({ header: this.#header });
      default:
        return { status: 404, body: 'Not Found\n' };
    }
  }

  #authenticate({ name, password }: Record<string, unknown>): HttpAnswer {
    if (this.user === null) return failure(412, 9, 'etcdserver: authentication is not enabled');
    return name === this.user.name && password === this.user.password
      ? answer({ header: this.#header, token: this.#token })
      : failure(400, 3, 'etcdserver: authentication failed, invalid user ID or password');
  }

  #keepAlive(id: string): HttpAnswer {
    const lease = this.#granted.get(id);
    if (lease === undefined) return answer({ result: { header: this.#header, ID: id } });
    if (!this.hasStaleLeases) lease.endsMs = this.#clock.monotonicMs() + lease.seconds * 1000;
    return answer({ result: { header: this.#header, ID: id, TTL: String(lease.seconds) } });
  }

  #transaction(request: Record<string, unknown>): HttpAnswer {
    const {
      compare = [],
      success = [],
      failure: otherwise = [],
    } = request as {
      compare?: RawCompare[];
      success?: RawOperation[];
      failure?: RawOperation[];
    };
    const succeeded = compare.every(({ key, target, create_revision, mod_revision }) => {
      const found = this.#values.get(text(key));
      return target === 'CREATE'
        ? (found?.create ?? 0) === Number(create_revision)
        : (found?.mod ?? 0) === Number(mod_revision);
    });
    const operations = succeeded ? success : otherwise;
    const puts = operations.flatMap(({ request_put }) => request_put ?? []);
    const lost = puts.find(({ lease }) => lease !== undefined && !this.#granted.has(lease));
    if (lost !== undefined) return failure(404, 5, 'etcdserver: requested lease not found');
    if (this.isFull && puts.length > 0) return FULL;
    if (operations.some((each) => each.request_range === undefined)) this.#revision++;
    const responses = operations.map(({ request_put, request_range, request_delete_range }) => {
      if (request_put !== undefined) {
        const { key = '', value = '', lease } = request_put;
        this.#putAt(text(key), text(value), lease ?? null);
        return { response_put: {} };
      }
      if (request_range !== undefined) return { response_range: { kvs: this.#range(request_range) } };
      for (const key of this.#keysOf(request_delete_range ?? {})) this.#values.delete(key);
      return { response_delete_range: {} };
    });
    return answer({ header: this.#header, ...(succeeded ? { succeeded } : {}), responses });
  }

  #range(request: Raw): object[] {
    const keys = this.#keysOf(request);
    const limit = Number(request.limit ?? 0);
    return (limit > 0 ? keys.slice(0, limit) : keys).map((key) => {
      const { value = '', create, mod } = this.#values.get(key) ?? {};
      return { key: base64(key), value: base64(value), create_revision: String(create), mod_revision: String(mod) };
    });
  }

  #keysOf({ key = '', range_end }: Raw): string[] {
    const from = text(key);
    if (range_end === undefined) return this.#values.has(from) ? [from] : [];
    const end = text(range_end);
    return [...this.#values.keys()].filter((each) => each >= from && each < end).sort();
  }

  #put(key: string, value: string, lease: string | null): void {
    this.#revision++;
    this.#putAt(key, value, lease);
  }

  #putAt(key: string, value: string, lease: string | null): void {
    const create = this.#values.get(key)?.create ?? this.#revision;
    this.#values.set(key, { value, create, mod: this.#revision, lease });
  }

  #expire(): void {
    for (const [id, { endsMs }] of this.#granted) if (endsMs <= this.#clock.monotonicMs()) this.#end(id);
  }

  #end(id: string): void {
    this.#granted.delete(id);
    for (const [key, { lease }] of this.#values) if (lease === id) this.#values.delete(key);
    this.#revision++;
  }

  get #header(): object {
    return { revision: String(this.#revision) };
  }
}

const FULL = failure(429, 8, 'etcdserver: mvcc: database space exceeded');

/** Values are bytes: here each is a character. */
function text(encoded: string): string {
  return Buffer.from(encoded, 'base64').toString('latin1');
}

function base64(value: string): string {
  return Buffer.from(value, 'latin1').toString('base64');
}

function answer(body: object): HttpAnswer {
  return { status: 200, body: JSON.stringify(body) };
}

function failure(status: number, code: number, message: string): HttpAnswer {
  return { status, body: JSON.stringify({ error: message, message, code }) };
}
