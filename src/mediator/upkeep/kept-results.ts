// What the metaserver keeps of clients' last requests, so that they can be
// asked again: has it forgotten when a client ends, and when one has asked for
// nothing for a day, as seen by this mediator's own monotonic clock.
import type { Commands, MetadataService } from '../../protocol/services/metadata.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import { Background, type NextRunMs } from './background.js';

/** Far longer than anybody goes on asking for one thing. */
const SILENCE_MS = 24 * 3600 * 1000;
const PAGE_CLIENTS = 1000;

export class KeptResults {
  readonly #task: Background;
  /** How many requests each client had made at the last look. */
  #requests: ReadonlyMap<string, number> = new Map();

  readonly #metadata: MetadataService;
  readonly #runtime: Runtime;

  constructor(metadata: MetadataService, runtime: Runtime) {
    this.#metadata = metadata;
    this.#runtime = runtime;
    this.#task = new Background('results', () => this.#look(), runtime);
  }

  start(): void {
    this.#task.wake();
  }

  close(): Promise<void> {
    return this.#task.close();
  }

  /** The client asks for nothing again, nor for anything that it has asked before. */
  ended(client: string): void {
    // The next looks find the client silent, and have it forgotten then.
    this.#forget({ client }).catch((error: unknown) => {
      rethrowProgramFault(error);
      this.#runtime.log.debug('results.kept', errorFields(error));
    });
  }

  async #look(): Promise<NextRunMs> {
    const metadata = this.#metadata;
    const seen = new Map<string, number>();
    let after: string | undefined;
    for (;;) {
      const request = after === undefined ? { limit: PAGE_CLIENTS } : { after, limit: PAGE_CLIENTS };
      const { clients } = await metadata.query({ name: 'clients', request });
      for (const { client, requests } of clients) {
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
    // Until a command is durable, a crash of the metaserver has it asked again: its result must be there until then.
    await this.#metadata.sync({});
    const timeNs = this.#runtime.clock.nowNs();
    await this.#metadata.execute({ name: 'forgetResults', timeNs, request, durable: false });
  }
}
