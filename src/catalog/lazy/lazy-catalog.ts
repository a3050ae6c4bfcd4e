// The catalog under lazy replication: any server takes any request and answers at once, updates spread in the background, and a vector
// timestamp that the client brings along keeps it from going back in time.
import { nameOf } from '../../replication/core/members.js';
import type { Runtime } from '../../runtime/runtime.js';
import { SerialQueue } from '../../runtime/serial-queue.js';
import type { Asker, Catalog, CatalogStatus, Changed, Found, Listed } from '../catalog.js';
import { type Command, checkAgainst, checkCommand } from '../map/commands.js';
import { CatalogError } from '../map/errors.js';
import { checkPath, childOf, parentOf, ROOT } from '../map/paths.js';
import { PeerCatalog } from '../peers/peer-catalog.js';
import type { PeerGroupOptions } from '../peers/peer-group.js';
import type { Journal } from '../storage/journal.js';
import { isLarge } from './pulls.js';
import { type Batch, encodeBatch, type Replica, serverKey } from './replica.js';
import { type LazyService, lazyService } from './service.js';
import { Spreading } from './spreading.js';
import { isBehind, type Key, type KeyedUpdate } from './update.js';
import { covers, merged, readVector, sumOf, type Vector, vectorText } from './vector.js';

/** How long a read waits for updates that are on their way. */
const WAIT_MS = 2000;
/** How often it asks for them. */
const ASK_AGAIN_MS = 100;

export interface LazyOptions extends PeerGroupOptions {
  readonly protocol: 'lazy';
}

/** `bytes` is null for a removal. Without a version it gets one that grows along the order. */
interface NewValue {
  readonly key: Key;
  readonly bytes: Uint8Array | null;
  readonly version?: number | undefined;
}

export class LazyCatalog extends PeerCatalog<LazyService> implements Catalog {
  readonly protocol = 'lazy';
  readonly services: Record<string, object>;
  readonly #spreading: Spreading;
  /** Updates are numbered and stored one after the other. */
  readonly #changes = new SerialQueue();

  readonly #replica: Replica;
  readonly #options: LazyOptions;

  /** @param journal whose records are in the replica */
  constructor(replica: Replica, journal: Journal, options: LazyOptions, runtime: Runtime) {
    super(replica, journal, options, runtime);
    this.#replica = replica;
    this.#options = options;
    const absorb = (batch: Batch) => this.#absorb(batch);
    const isActive = () => this.refusal === null;
    this.#spreading = new Spreading({ group: this.group, replica, absorb, isActive, runtime });
    const refusal = () => this.refusal?.message ?? null;
    this.services = {
      group: this.group.greetings((name, address) => this.addServer(name, address)),
      lazy: lazyService({ replica, absorb, refusal }),
    };
  }

  async start(): Promise<void> {
    if (this.#options.isNewcomer) await this.group.introduce(() => this.isClosed);
    this.#spreading.start();
  }

  async change(command: Command, asker: Asker = {}): Promise<Changed> {
    checkCommand(command);
    const brought = broughtBy(asker);
    // What is asked of the path may depend on what the asker has seen.
    const { stale } = await this.#becomeAsFreshAs(asker);
    return this.#changes.run(async () => {
      this.mustAnswer();
      const { path } = command;
      checkAgainst(this.#replica.view, command);
      const bytes = command.kind === 'remove' ? null : command.value;
      const values: NewValue[] = [{ key: path, bytes, version: command.version }];
      if (command.kind === 'put') values.unshift(...this.#missingParents(path));
      const { timestamp, version } = await this.#make(values, brought);
      return { version, timestamp: vectorText(timestamp), ...(stale === undefined ? {} : { stale }) };
    });
  }

  async get(path: string, asker: Asker = {}): Promise<Found> {
    checkPath(path);
    const freshness = await this.#becomeAsFreshAs(asker);
    const found = this.#replica.view.get(path);
    if (found !== undefined) return { bytes: found.bytes, version: found.version, ...freshness };
    if (path === ROOT) return { bytes: new Uint8Array(), version: 0, ...freshness };
    const why = freshness.stale === undefined ? '' : `, as far as this server knows: ${freshness.stale}`;
    throw new CatalogError('NOT_FOUND', `${path} is not there${why}`);
  }

  /** In the order in which the children were written last. */
  async list(path: string, asker: Asker = {}): Promise<Listed> {
    checkPath(path);
    const freshness = await this.#becomeAsFreshAs(asker);
    const { view, tree } = this.#replica;
    if (!view.has(path)) throw new CatalogError('NOT_FOUND', `${path} is not there`);
    const names = view.namesBelow(path).map((name) => ({ name, update: tree.get(childOf(path, name)) }));
    names.sort((one, other) => (one.update !== undefined && isBehind(one.update, other.update) ? 1 : -1));
    return { names: names.map(({ name }) => name), ...freshness };
  }

  async below(path: string, asker: Asker = {}): Promise<[string, Found][]> {
    await this.#becomeAsFreshAs(asker);
    return this.#replica.view.below(path).map(([name, { bytes, version }]) => [name, { bytes, version }]);
  }

  get facts(): CatalogStatus['details'] {
    return { self: this.#options.self, seen: vectorText(this.#replica.seen) };
  }

  async status(): Promise<CatalogStatus> {
    return {
      ...this.statusAs('peer'),
      protocol: this.protocol,
      promise:
        'a change is answered when one server has it, and is lost with that server if it has not spread yet; a read is at least as ' +
        'fresh as what the asker has seen; concurrent changes of a path end with the same one on all servers',
      details: this.facts,
    };
  }

  async addServer(name: string, address: string): Promise<void> {
    this.mustAnswer();
    this.group.mustBeNew({ name, address });
    await this.#changes.run(() => this.#make([{ key: serverKey(name), bytes: new TextEncoder().encode(address) }], {}));
  }

  async removeServer(name: string): Promise<boolean> {
    this.mustAnswer();
    if (this.group.wasRemoved(name)) return false;
    this.group.mustHave(name);
    await this.#changes.run(() => this.#make([{ key: serverKey(name), bytes: null }], {}));
    await this.#spreading.now();
    return true;
  }

  /** What only this server has goes to the others first. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.watchers.close();
    this.#spreading.close();
    if (!this.isCrashed) await this.#spreading.now();
    await this.group.close();
    await this.journal.close();
  }

  #missingParents(path: string): NewValue[] {
    const missing: NewValue[] = [];
    for (let parent = parentOf(path); !this.#replica.view.has(parent); parent = parentOf(parent)) {
      missing.unshift({ key: parent, bytes: new Uint8Array() });
    }
    return missing;
  }

  /** Updates of this server's own. @returns what the client has seen then, and the version of the last one */
  async #make(values: readonly NewValue[], brought: Vector): Promise<{ timestamp: Vector; version: number }> {
    const { self } = this.#options;
    const updates: KeyedUpdate[] = [];
    let number = this.#replica.seen[self] ?? 0;
    let last = { timestamp: {} as Vector, version: 0 };
    for (const { key, bytes, version } of values) {
      number++;
      const timestamp = { ...merged(this.#replica.seen, brought), [self]: number };
      // It grows along the order of updates.
      last = { timestamp, version: version ?? sumOf(timestamp) };
      const value = { bytes: bytes ?? new Uint8Array(), version: last.version, isRemoved: bytes === null };
      updates.push({ key, update: { ...value, origin: self, timestamp } });
    }
    await this.#absorb({ updates, since: {}, seen: { [self]: number } });
    this.#spreading.soon();
    return last;
  }

  /** Throws CRASHED when this server has been crashed since it was asked. */
  async #absorb(batch: Batch): Promise<void> {
    const { updates, seen } = batch;
    if (updates.length === 0 && covers(this.#replica.seen, seen)) return;
    await this.takeIn(async () => {
      // What is large comes from others, who have it on their disks.
      if (!isLarge(updates)) await this.journal.append(encodeBatch({ updates, seen }));
      this.#replica.absorb({ updates, seen });
      if (isLarge(updates)) await this.journal.keep();
    });
  }

  /** Waits until what the asker has seen is here, unless the only server that has it is gone: then it says so. */
  async #becomeAsFreshAs(asker: Asker): Promise<{ timestamp: string; stale?: string }> {
    const brought = broughtBy(asker);
    const isFresh = () => covers(this.#replica.seen, brought);
    const endMs = this.runtime.clock.monotonicMs() + WAIT_MS;
    while (!isFresh() && this.runtime.clock.monotonicMs() < endMs) {
      this.mustAnswer();
      await this.#spreading.fetch(brought);
      // All that can be reached were asked, and whoever made it is none of them.
      if (!isFresh() && this.#missingOrigins(brought).every((server) => this.#isGone(server))) break;
      if (!isFresh()) await this.watchers.until(isFresh, ASK_AGAIN_MS);
    }
    this.mustAnswer();
    const timestamp = vectorText(merged(this.#replica.seen, isFresh() ? {} : brought));
    if (isFresh()) return { timestamp };
    const gone = this.#missingOrigins(brought).map((origin) => `${origin} has made update ${brought[origin]}`);
    return { timestamp, stale: `${gone.join(', ')}, which no server that can be reached has` };
  }

  #missingOrigins(brought: Vector): string[] {
    const { seen } = this.#replica;
    return Object.keys(brought).filter((origin) => (seen[origin] ?? 0) < (brought[origin] ?? 0));
  }

  #isGone(origin: string): boolean {
    return this.group.isGone(nameOf(origin));
  }
}

function broughtBy({ timestamp }: Asker): Vector {
  const vector = timestamp === undefined ? {} : readVector(timestamp);
  if (vector === undefined) throw new CatalogError('BAD_REQUEST', `${timestamp} is no vector timestamp`);
  return vector;
}
