// A client in the simulation: it goes on to the next server when one can't answer, and brings along what it has seen.
import assert from 'node:assert/strict';
import type { Asker, Catalog, Found } from '../../../src/catalog/catalog.js';
import type { Command } from '../../../src/catalog/map/commands.js';
import { CatalogError } from '../../../src/catalog/map/errors.js';
import type { CatalogHost, CatalogWorld } from './catalog-world.js';

const ELSEWHERE: ReadonlySet<string> = new Set(['NOT_LEADER', 'UNAVAILABLE', 'CRASHED']);

export class Client {
  timestamp: string | undefined;
  #at: number;
  readonly #world: CatalogWorld;

  /** @param name in a recording */
  constructor(
    world: CatalogWorld,
    firstServer = 0,
    readonly name = 'client',
  ) {
    this.#world = world;
    this.#at = firstServer;
  }

  /** The server that it asks next. */
  get server(): CatalogHost {
    return this.#world.servers[this.#at % this.#world.servers.length] ?? assert.fail('a world has servers');
  }

  next(): void {
    this.#at++;
  }

  goTo(server: CatalogHost): void {
    this.#at = this.#world.servers.indexOf(server);
  }

  get asker(): Asker {
    return this.timestamp === undefined ? {} : { timestamp: this.timestamp };
  }

  /** One server is asked once. @param told what, for a recording */
  async once<T extends { timestamp?: string }>(
    action: (catalog: Catalog, asker: Asker) => Promise<T>,
    told = { name: 'request', content: '' },
  ): Promise<T> {
    const request = { from: this.name, ...told };
    const answer = await this.#world.call(this.server, (catalog) => action(catalog, this.asker), request);
    this.timestamp = answer.timestamp ?? this.timestamp;
    return answer;
  }

  /** Asks until some server answers, while time passes. A change has the same token each time. */
  async anywhere<T>(action: (catalog: Catalog, asker: Asker) => Promise<T>): Promise<T> {
    const world = this.#world;
    const endMs = world.nowMs + 10_000;
    const token = String(world.random.word());
    for (;;) {
      const { server } = this;
      try {
        return await world.settle(
          `an answer of ${server.name}`,
          world.call(server, (catalog) => action(catalog, { ...this.asker, token })),
        );
      } catch (error) {
        const isElsewhere =
          error instanceof CatalogError && (ELSEWHERE.has(error.code) || error.code === 'OUTCOME_UNKNOWN');
        if (!isElsewhere || world.nowMs > endMs) throw error;
        this.next();
        await world.run(20);
      }
    }
  }

  async change(command: Command) {
    const changed = await this.anywhere((catalog, asker) => catalog.change(command, asker));
    this.timestamp = changed.timestamp ?? this.timestamp;
    return changed;
  }

  async get(path: string): Promise<Found> {
    return this.anywhere((catalog, asker) => catalog.get(path, asker));
  }

  async list(path: string): Promise<readonly string[]> {
    return (await this.anywhere((catalog, asker) => catalog.list(path, asker))).names;
  }
}

/** Whether the request may be made again elsewhere: nothing was done. */
export function wasUndone(error: unknown): boolean {
  return error instanceof CatalogError && ELSEWHERE.has(error.code);
}
