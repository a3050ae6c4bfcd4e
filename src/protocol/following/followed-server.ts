// One of the servers that LeaderRemote follows.
import { assert } from '../../runtime/assert.js';
import type { CallOptions } from '../services/service.js';
import type { StandingService } from '../services/standing.js';
import type { Remote } from '../wire/client.js';

export type Method = (request: object, options?: CallOptions) => Promise<object>;
type Service = Record<string, Method>;

export class FollowedServer {
  readonly name: string;
  readonly standing: StandingService;
  readonly #remote: Pick<Remote, 'service'>;
  readonly #services = new Map<string, Service>();

  constructor(name: string, remote: Pick<Remote, 'service'>, standing: string) {
    this.name = name;
    this.#remote = remote;
    this.standing = remote.service<StandingService>(standing);
  }

  call(service: string, method: string, request: object, options: CallOptions | undefined): Promise<object> {
    let found = this.#services.get(service);
    if (found === undefined) {
      found = this.#remote.service<Service>(service);
      this.#services.set(service, found);
    }
    const call = found[method];
    assert(call !== undefined, 'a remote service has every method');
    return call(request, options);
  }
}
