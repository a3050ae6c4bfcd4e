// What others ask of this server: each call of a service, of XML-RPC and of HTTP is shown to whoever watches.
import type { XmlRpcMethods } from '../../protocol/http/xml-rpc.js';
import { brief } from '../../recording/brief.js';
import { nameOf } from '../../replication/core/members.js';
import type { HttpReply, HttpRequest } from '../../runtime/network.js';

export interface Call {
  readonly by: 'client' | 'server';
  /** group.send, GET, put … */
  readonly name: string;
  /** With what it is asked for, in a few words. */
  readonly text: string;
  readonly request: unknown;
  /** The name of the server that asks, once it has said it over this connection. */
  readonly from: string | undefined;
}

export type Outcome = { readonly answer: unknown } | { readonly error: unknown };

export interface CallWatch {
  /** @returns what is told how it went */
  called(call: Call): (outcome: Outcome) => void;
}

type Method = (request: object, options?: { peer?: object }) => Promise<object>;
type Answering = (request: HttpRequest) => Promise<HttpReply | undefined>;

export class WatchedCalls {
  readonly #watches: readonly CallWatch[];
  /** Who is at the other end of a connection. */
  readonly #names = new WeakMap<object, string>();

  constructor(watches: readonly CallWatch[]) {
    this.#watches = watches;
  }

  /** The same services, each call of which is shown. */
  services(services: Record<string, object>): Record<string, object> {
    return Object.fromEntries(Object.entries(services).map(([name, service]) => [name, this.#service(name, service)]));
  }

  xmlRpc(methods: XmlRpcMethods): XmlRpcMethods {
    const watched: XmlRpcMethods = {};
    for (const [name, method] of Object.entries(methods)) {
      watched[name] = (...parameters) => {
        const text = `${name}(${parameters.map((each) => brief(each)).join(', ')})`;
        return this.#watch({ by: 'client', name, text, request: parameters, from: undefined }, () =>
          method(...parameters),
        );
      };
    }
    return watched;
  }

  http(answering: Answering): Answering {
    return (request) => {
      const { method: name, path, query, body } = request;
      const value = body.length === 0 ? '' : ` ${brief(body)}`;
      const text = `${name} ${path}${query && `?${query}`}${value}`;
      return this.#watch({ by: 'client', name, text, request, from: undefined }, () => answering(request));
    };
  }

  #service(service: string, object: object): object {
    const watched: Record<string, Method> = {};
    for (const [member, method] of Object.entries(object) as [string, Method][]) {
      const name = `${service}.${member}`;
      watched[member] = (request, options) => {
        const from = this.#whoAsks(request, options?.peer);
        return this.#watch({ by: 'server', name, text: `${name} ${brief(request)}`, request, from }, () =>
          method.call(object, request, options),
        );
      };
    }
    return watched;
  }

  #whoAsks(request: object, peer: object | undefined): string | undefined {
    const { from, name, hasGroup } = request as { from?: unknown; name?: unknown; hasGroup?: unknown };
    // Only a greeting has the name of whoever sends it.
    const says = hasGroup === undefined ? from : name;
    const who = typeof says === 'string' ? nameOf(says) || says : undefined;
    if (peer !== undefined && who !== undefined) this.#names.set(peer, who);
    return who ?? (peer === undefined ? undefined : this.#names.get(peer));
  }

  async #watch<T>(call: Call, action: () => Promise<T>): Promise<T> {
    const answered = this.#watches.map((watch) => watch.called(call));
    const tell = (outcome: Outcome): void => {
      for (const each of answered) each(outcome);
    };
    try {
      const answer = await action();
      tell({ answer });
      return answer;
    } catch (error) {
      tell({ error });
      throw error;
    }
  }
}
