// The trace: a readable line for each message between servers and for each request of a client, with what it changed here.
import type { XmlRpcMethods } from '../../protocol/http/xml-rpc.js';
import { messageOf } from '../../runtime/caught-errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { HttpReply, HttpRequest } from '../../runtime/network.js';
import { brief } from './brief.js';

/** What may change: role, term, what is committed, a timestamp. */
export type Facts = Readonly<Record<string, string | number | boolean | null>>;

export interface TraceParts {
  readonly say: (line: string) => void;
  readonly facts: () => Facts;
  readonly clock: Clock;
  /** Of this server. */
  readonly name: string;
}

type Method = (request: object, options?: { readonly peer?: object }) => Promise<object>;
type Answering = (request: HttpRequest) => Promise<HttpReply | undefined>;

export class Trace {
  readonly #parts: TraceParts;
  readonly #beganMs: number;
  #last: Facts;
  /** Who is at the other end of a connection, from when it has said so: each server greets first. */
  readonly #names = new WeakMap<object, string>();

  constructor(parts: TraceParts) {
    this.#parts = parts;
    this.#beganMs = parts.clock.monotonicMs();
    this.#last = parts.facts();
  }

  /** The same services, each call of which is told. */
  services(services: Record<string, object>): Record<string, object> {
    return Object.fromEntries(Object.entries(services).map(([name, service]) => [name, this.#service(name, service)]));
  }

  xmlRpc(methods: XmlRpcMethods): XmlRpcMethods {
    const traced: XmlRpcMethods = {};
    for (const [name, method] of Object.entries(methods)) {
      traced[name] = (...parameters) =>
        this.#tell(`client ${name}(${parameters.map(brief).join(', ')})`, () => method(...parameters));
    }
    return traced;
  }

  http(answering: Answering): Answering {
    return (request) => {
      const { method, path, query, body } = request;
      const value = body.length === 0 ? '' : ` ${brief(body)}`;
      return this.#tell(`client ${method} ${path}${query && `?${query}`}${value}`, () => answering(request));
    };
  }

  #service(name: string, service: object): object {
    const traced: Record<string, Method> = {};
    for (const [member, method] of Object.entries(service) as [string, Method][]) {
      traced[member] = (request, options) => {
        const from = this.#whoAsks(request, options?.peer);
        return this.#tell(`${from} ${name}.${member} ${brief(request)}`, () => method.call(service, request, options));
      };
    }
    return traced;
  }

  #whoAsks(request: object, peer: object | undefined): string {
    const { from, name, hasGroup } = request as { from?: unknown; name?: unknown; hasGroup?: unknown };
    // Only a greeting has the name of whoever sends it.
    const says = hasGroup === undefined ? from : name;
    const who = typeof says === 'string' ? says.split('/')[0] : undefined;
    if (peer !== undefined && who !== undefined) this.#names.set(peer, who);
    return who ?? (peer === undefined ? undefined : this.#names.get(peer)) ?? 'server';
  }

  async #tell<T>(what: string, action: () => Promise<T>): Promise<T> {
    this.#say(`→ ${what}`);
    try {
      const answer = await action();
      this.#say(`← ${what.split(/[ (]/, 2).join(' ')}: ${brief(answer)}${this.#changes()}`);
      return answer;
    } catch (error) {
      this.#say(`← ${what.split(/[ (]/, 2).join(' ')}: failed: ${messageOf(error)}${this.#changes()}`);
      throw error;
    }
  }

  /** What is otherwise than when it was told last. */
  #changes(): string {
    const now = this.#parts.facts();
    const changed = Object.keys(now).filter((key) => now[key] !== this.#last[key]);
    const text = changed.map((key) => `${key} ${String(this.#last[key] ?? '–')} → ${String(now[key])}`).join(', ');
    this.#last = now;
    return text === '' ? '' : `   [${text}]`;
  }

  #say(line: string): void {
    const { say, clock, name } = this.#parts;
    const seconds = (clock.monotonicMs() - this.#beganMs) / 1000;
    say(`${seconds.toFixed(3).padStart(9)} ${name} ${line}`);
  }
}
