// What the catalogs have in common where nobody leads: any server takes requests, unless it is crashed, stopped or removed, and reads
// what it has itself.
import type { Runtime } from '../../runtime/runtime.js';
import type { CatalogStatus } from '../catalog.js';
import { CatalogError } from '../map/errors.js';
import { Watchers } from '../map/watchers.js';
import type { Journal } from '../storage/journal.js';
import { WritesUnderWay } from '../storage/writes-under-way.js';
import type { LocalView, SpreadValue } from './local-view.js';
import { PeerGroup, type PeerGroupOptions } from './peer-group.js';

/** What a server has. */
export interface HeldHere {
  readonly view: LocalView<SpreadValue>;
  /** By name; null for one that was removed. */
  readonly serverChanges: ReadonlyMap<string, string | null>;
}

export abstract class PeerCatalog<Service> {
  protected readonly group: PeerGroup<Service>;
  protected readonly watchers: Watchers;
  protected readonly journal: Journal;
  protected readonly runtime: Runtime;
  protected isClosed = false;
  #isCrashed = false;
  readonly #writes = new WritesUnderWay();

  readonly #held: HeldHere;
  readonly #options: PeerGroupOptions;

  /** @param journal whose records are in what is held */
  constructor(held: HeldHere, journal: Journal, options: PeerGroupOptions, runtime: Runtime) {
    this.#held = held;
    this.#options = options;
    this.journal = journal;
    this.runtime = runtime;
    this.watchers = new Watchers(runtime.clock);
    this.group = new PeerGroup(options, runtime);
    this.group.learn(held.serverChanges);
  }

  /** Any server takes requests. */
  get isLeader(): boolean {
    return !this.#isCrashed;
  }

  get isCrashed(): boolean {
    return this.#isCrashed;
  }

  versionHere(path: string): number {
    return this.#held.view.get(path)?.version ?? 0;
  }

  async waitForChange(path: string, version: number, limitMs: number): Promise<void> {
    await this.watchers.until(() => this.versionHere(path) !== version || this.refusal !== null, limitMs);
  }

  /** What is being written ends before this resolves; nothing changes after that. */
  async crash(): Promise<void> {
    this.#isCrashed = true;
    this.watchers.notify();
    await this.#writes.ended();
  }

  async restore(): Promise<void> {
    this.#isCrashed = false;
  }

  /** Why this server takes no part; null when it does. */
  protected get refusal(): CatalogError | null {
    const { name } = this.#options;
    if (this.#isCrashed) return new CatalogError('CRASHED', `${name} is crashed`);
    if (this.#held.serverChanges.get(name) === null) {
      return new CatalogError('UNAVAILABLE', `${name} was removed from its catalog`);
    }
    return null;
  }

  protected mustAnswer(): void {
    const { refusal } = this;
    if (refusal !== null) throw refusal;
    if (this.isClosed) throw new CatalogError('UNAVAILABLE', `${this.#options.name} is being stopped`);
  }

  /** Takes something in: stored, and held after that. Throws CRASHED, or what the caller makes of it. */
  protected async takeIn(store: () => Promise<void>): Promise<void> {
    if (this.#isCrashed) throw new CatalogError('CRASHED', `${this.#options.name} is crashed`);
    await this.#writes.run(async () => {
      await store();
      this.group.learn(this.#held.serverChanges);
      this.watchers.notify();
    });
  }

  /** @param role of this server, where it is not crashed */
  protected statusAs(role: string): Omit<CatalogStatus, 'protocol' | 'promise' | 'details'> {
    const { name } = this.#options;
    const own = this.#isCrashed ? 'crashed' : role;
    const servers = this.group.standings((server) => (server === name ? own : 'peer'));
    return { name, role: own, isCrashed: this.#isCrashed, leader: null, servers };
  }
}
