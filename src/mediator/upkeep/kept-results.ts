// The metaserver's dedupe table keeps the results of clients' last requests, so
// that a retry is not carried out twice. Has it forget those of clients that have
// ended, and of clients that have made no request for a day, by this mediator's
// own monotonic clock.
import type { Commands, MetadataService } from '../../protocol/services/metadata.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import { Background, type NextRunMs } from './background.js';

/** Far longer than any client retries a request. */
const SILENCE_MS = 24 * 3600 * 1000;
const PAGE_CLIENTS = 1000;

export class KeptResults {
  readonly #task: Background;
  /** How many requests each client had made at the last look, SILENCE_MS ago. */
  #requests: ReadonlyMap<string, number> = new Map();

  readonly #own: string;
  readonly #metadata: MetadataService;
  readonly #runtime: Runtime;

  /** @param own the client that this mediator is: its commands that it has answered early go on from their last number */
  constructor(own: string, metadata: MetadataService, runtime: Runtime) {
    this.#own = own;
    this.#metadata = metadata;
    this.#runtime = runtime;
    this.#task = new Background('results', () => this.#forgetSilent(), runtime);
  }

  start(): void {
    this.#task.wake();
  }

  close(): Promise<void> {
    return this.#task.close();
  }

  /** The client has ended: it makes no further request, and retries none. */
  ended(client: string): void {
    // Where this fails, the results go when the client has been silent for a day.
    this.#forget({ client }).catch((error: unknown) => {
      rethrowProgramFault(error);
      this.#runtime.log.debug('results.kept', errorFields(error));
    });
  }

  async #forgetSilent(): Promise<NextRunMs> {
    const metadata = this.#metadata;
    const seen = new Map<string, number>();
    let after: string | undefined;
    for (;;) {
      const request = after === undefined ? { limit: PAGE_CLIENTS } : { after, limit: PAGE_CLIENTS };
      const { clients } = await metadata.query({ name: 'clients', request });
      for (const { client, requests } of clients) {
        if (client === this.#own) continue;
        if (this.#requests.get(client) === requests) await this.#forget({ client, requests });
        else seen.set(client, requests);
      }
      after = clients.at(-1)?.client;
      if (clients.length < PAGE_CLIENTS) break;
    }
    this.#requests = seen;
    return SILENCE_MS;
  }

  async #forget(request: Commands['forgetResults']['request']): Promise<void> {
    // Before they are durable, commands may have to be carried out again after a crash; the results tell then which survived it.
    await this.#metadata.sync({});
    const timeNs = this.#runtime.clock.nowNs();
    await this.#metadata.execute({ name: 'forgetResults', timeNs, request, durable: false });
  }
}
