// A client of a catalog by HTTP: it begins with any addresses, learns all others, goes where it is sent, and asks all of them when the
// one that it used is gone.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandFailure } from '../failure.js';

const GIVE_UP_MS = 15_000;
/** A server that waits for a leader says so after ten seconds. */
const REQUEST_DEADLINE_MS = 12_000;
const PAUSE_MS = 100;
const MOST_HOPS = 5;
const TOKEN_BYTES = 12;
/** Another server, or the same one a little later, may answer. */
const TRY_ELSEWHERE: ReadonlySet<number> = new Set([503]);

export interface Answer {
  readonly status: number;
  readonly content: Readonly<Record<string, unknown>>;
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body?: string | undefined;
  readonly limitMs: number;
}

export class CatalogClient {
  /** The one that is asked first stands first. */
  #addresses: string[];
  /** The vector timestamp of all that was seen so far. */
  #timestamp: string | null = null;
  readonly #secret: string | undefined;

  constructor(addresses: readonly string[], secret: string | undefined) {
    this.#addresses = [...addresses];
    this.#secret = secret;
  }

  get address(): string {
    return this.#addresses[0] ?? '';
  }

  /** Begins with another server, so that clients spread over all of them. */
  startAt(position: number): void {
    const first = position % this.#addresses.length;
    this.#addresses = [...this.#addresses.slice(first), ...this.#addresses.slice(0, first)];
  }

  /** Learns of all servers from the first that answers. */
  async learn(): Promise<void> {
    const { content } = await this.request('GET', '/status');
    const servers = (content.servers ?? []) as { address: string }[];
    const others = servers.map(({ address }) => address).filter((address) => !this.#addresses.includes(address));
    this.#addresses.push(...others);
  }

  /** Asks one server, and no other one. */
  async at(address: string, method: string, path: string): Promise<Answer> {
    try {
      return await this.#ask(address, { method, path, headers: new Headers(), limitMs: REQUEST_DEADLINE_MS });
    } catch (error) {
      throw unreachable(address, error);
    }
  }

  /** Asks once the server that has answered last, or the one that it names. Throws CommandFailure when it does not answer in time. */
  async look(path: string, limitMs: number): Promise<Answer> {
    try {
      return await this.#follow(this.address, { method: 'GET', path, headers: new Headers(), limitMs });
    } catch (error) {
      throw unreachable(this.address, error);
    }
  }

  /**
   * Asks until a server has answered. A change is carried out once, however often it is asked for, as far as the protocol can tell.
   * Throws CommandFailure when none answers in time.
   */
  async request(method: string, path: string, body?: string, fields: Record<string, string> = {}): Promise<Answer> {
    const headers = new Headers({ ...fields, 'x-catalog-request': randomBytes(TOKEN_BYTES).toString('hex') });
    if (this.#timestamp !== null) headers.set('x-catalog-timestamp', this.#timestamp);
    const endMs = Date.now() + GIVE_UP_MS;
    let why = new CommandFailure('no server is known');
    for (;;) {
      for (const address of [...this.#addresses]) {
        try {
          const answer = await this.#follow(address, { method, path, headers, body, limitMs: REQUEST_DEADLINE_MS });
          if (!TRY_ELSEWHERE.has(answer.status)) return answer;
          why = new CommandFailure(String(answer.content.message));
        } catch (error) {
          why = unreachable(address, error);
        }
      }
      if (Date.now() > endMs) throw why;
      await sleep(PAUSE_MS);
    }
  }

  async #follow(first: string, request: Asked): Promise<Answer> {
    let address = first;
    for (let hop = 0; hop < MOST_HOPS; hop++) {
      const answer = await this.#ask(address, request);
      const { leader } = answer.content as { leader?: { address: string } };
      if (answer.status !== 307 || leader === undefined) {
        this.#prefer(address);
        return answer;
      }
      address = leader.address;
    }
    return { status: 503, content: { message: 'servers send each other in a circle: who leads is being settled' } };
  }

  async #ask(address: string, { method, path, headers, body, limitMs }: Asked): Promise<Answer> {
    if (this.#secret !== undefined) {
      headers.set('authorization', `Basic ${Buffer.from(`nmrfs:${this.#secret}`).toString('base64')}`);
    }
    const response = await fetch(`http://${address}${path}`, {
      method,
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(limitMs),
      ...(body === undefined ? {} : { body }),
    });
    this.#timestamp = response.headers.get('x-catalog-timestamp') ?? this.#timestamp;
    return { status: response.status, content: contentOf(await response.text()) };
  }

  #prefer(address: string): void {
    this.#addresses = [address, ...this.#addresses.filter((other) => other !== address)];
  }
}

function contentOf(text: string): Record<string, unknown> {
  try {
    const content: unknown = JSON.parse(text);
    if (typeof content === 'object' && content !== null) return content as Record<string, unknown>;
  } catch {
    // What is no JSON is the words of a refusal.
  }
  return { message: text.trim() };
}

function unreachable(address: string, error: unknown): CommandFailure {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return new CommandFailure(`${address}: ${cause instanceof Error ? cause.message || cause.name : String(cause)}`);
}
