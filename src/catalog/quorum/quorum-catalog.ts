// The catalog under the quorum protocol: any server answers, together with as many others as a quorum needs, and the rest hears by gossip.
import { errorFields } from '../../runtime/caught-errors.js';
import type { Timer } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Catalog, CatalogStatus, Changed, Found, Listed } from '../catalog.js';
import { type Command, checkAgainst, checkCommand } from '../map/commands.js';
import { CatalogError } from '../map/errors.js';
import { checkPath, childOf, parentOf, ROOT } from '../map/paths.js';
import { PeerCatalog } from '../peers/peer-catalog.js';
import type { PeerGroupOptions } from '../peers/peer-group.js';
import type { Journal } from '../storage/journal.js';
import { Coordinator } from './coordinator.js';
import { Gossip } from './gossip.js';
import type { MergedLook } from './merged-look.js';
import { QueuesByKey } from './queues-by-key.js';
import { BEGUN, encodeEntry, type Replica, serverKey } from './replica.js';
import { type QuorumService, quorumService } from './service.js';
import { type KeyedEntry, versioned } from './versioned.js';

/** While this server is blank. */
const HURRY_MS = 200;
const NS_PER_S = 1_000_000_000n;

export interface QuorumOptions extends PeerGroupOptions {
  readonly protocol: 'quorum';
  readonly gossipMs: number;
  /** A majority when absent. */
  readonly readQuorum?: number;
  readonly writeQuorum?: number;
}

export class QuorumCatalog extends PeerCatalog<QuorumService> implements Catalog {
  readonly protocol = 'quorum';
  readonly services: Record<string, object>;
  readonly #gossip: Gossip;
  readonly #coordinator: Coordinator;
  /** Changes of each path that this server was asked for, one after the other. */
  readonly #changes = new QueuesByKey();
  /** Whom it has compared with since it was blank. */
  readonly #comparedWith = new Set<string>();
  #timer: Timer | null = null;

  readonly #replica: Replica;
  readonly #options: QuorumOptions;

  /** @param journal whose records are in the replica */
  constructor(replica: Replica, journal: Journal, options: QuorumOptions, runtime: Runtime) {
    super(replica, journal, options, runtime);
    this.#replica = replica;
    this.#options = options;
    const absorb = (entries: readonly KeyedEntry[]) => this.#absorb(entries);
    const parts = { name: options.name, group: this.group, replica, absorb };
    this.#gossip = new Gossip(parts);
    this.#coordinator = new Coordinator({
      ...parts,
      readQuorum: () => options.readQuorum ?? this.#majority,
      writeQuorum: () => options.writeQuorum ?? this.#majority,
      fraction: () => runtime.random.fraction(),
    });
    this.services = {
      group: this.group.greetings((name, address) => this.addServer(name, address)),
      quorum: quorumService({
        replica,
        absorb,
        refusal: () => this.refusal?.message ?? null,
        isBlank: () => this.#isBlank,
      }),
    };
  }

  async start(): Promise<void> {
    const { readQuorum, writeQuorum, servers } = this.facts;
    if (!this.#isOverlapping) this.runtime.log.warn('catalog.quorums_apart', { readQuorum, writeQuorum, servers });
    if (this.#options.isNewcomer) await this.group.introduce(() => this.isClosed);
    this.#schedule();
  }

  async change(command: Command): Promise<Changed> {
    checkCommand(command);
    const { path } = command;
    return this.#changes.run(path, async () => {
      this.mustAnswer();
      const look = await this.#lookFor(command);
      checkAgainst(look, command);
      const version = command.version ?? Math.max(this.#nowS, look.versionOf() + 1);
      if (command.kind === 'put') await this.#makeParents(path, version);
      const entry = versioned(version, command.kind === 'remove' ? null : command.value);
      await this.#coordinator.write({ key: path, entry });
      return { version };
    });
  }

  async get(path: string): Promise<Found> {
    checkPath(path);
    this.mustAnswer();
    const { entry } = await this.#coordinator.look(path, { withChildren: false });
    if (entry?.isRemoved === false) return { bytes: entry.bytes, version: entry.version };
    if (path === ROOT) return { bytes: new Uint8Array(), version: 0 };
    throw new CatalogError('NOT_FOUND', `${path} is not there`);
  }

  async list(path: string): Promise<Listed> {
    checkPath(path);
    this.mustAnswer();
    const look = await this.#coordinator.look(path, { withChildren: true });
    if (!look.has(path)) throw new CatalogError('NOT_FOUND', `${path} is not there`);
    return { names: look.below.map(([name]) => name) };
  }

  async below(path: string): Promise<[string, Found][]> {
    this.mustAnswer();
    const { below } = await this.#coordinator.look(path, { withChildren: true });
    const entries = await this.#coordinator.entries(new Map(below.map(([name, seen]) => [childOf(path, name), seen])));
    return below.flatMap(([name]) => {
      const entry = entries.get(childOf(path, name));
      return entry === undefined || entry.isRemoved ? [] : [[name, entry]];
    });
  }

  get facts(): CatalogStatus['details'] {
    const { readQuorum = this.#majority, writeQuorum = this.#majority } = this.#options;
    const { newestVersion: newest, size: paths } = this.#replica;
    return { readQuorum, writeQuorum, servers: this.group.places.length, isBlank: this.#isBlank, paths, newest };
  }

  async status(): Promise<CatalogStatus> {
    const { readQuorum = this.#majority, writeQuorum = this.#majority, gossipMs } = this.#options;
    return {
      ...this.statusAs(this.#isBlank ? 'blank' : 'peer'),
      protocol: this.protocol,
      promise:
        `a change is answered when ${writeQuorum} servers have it, a read is the newest of ${readQuorum}; ` +
        `the others hear within two gossip rounds of ${gossipMs} ms; what two clients do at once is not put into one order` +
        (this.#isOverlapping
          ? ''
          : '; THE QUORUMS DO NOT OVERLAP: a read may miss what was answered until gossip has spread it'),
      details: this.facts,
    };
  }

  /** Keeps in all servers where another one is. */
  async addServer(name: string, address: string): Promise<void> {
    this.mustAnswer();
    this.group.mustBeNew({ name, address });
    const entry = versioned(this.#nextServerVersion(name), new TextEncoder().encode(address));
    await this.#coordinator.write({ key: serverKey(name), entry });
  }

  async removeServer(name: string): Promise<boolean> {
    this.mustAnswer();
    if (this.group.wasRemoved(name)) return false;
    this.group.mustHave(name);
    const entry = versioned(this.#nextServerVersion(name), null);
    await this.#coordinator.write({ key: serverKey(name), entry });
    return true;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.#timer?.cancel();
    this.watchers.close();
    // What others lack they get before it goes.
    if (!this.isCrashed) await this.#gossip.round();
    await this.group.close();
    await this.journal.close();
  }

  get #majority(): number {
    return Math.floor(this.group.places.length / 2) + 1;
  }

  /** Whether each read asks one that has what was answered before. */
  get #isOverlapping(): boolean {
    const { readQuorum = this.#majority, writeQuorum = this.#majority } = this.#options;
    return readQuorum + writeQuorum > this.group.places.length;
  }

  /** It may lack what it has acknowledged before its disk was lost. */
  get #isBlank(): boolean {
    return !this.#replica.hasBegun;
  }

  get #nowS(): number {
    return Number(this.runtime.clock.nowNs() / NS_PER_S);
  }

  protected override mustAnswer(): void {
    super.mustAnswer();
    if (!this.#isBlank) return;
    const message = `${this.#options.name} is blank, and has not heard enough others yet: it may lack what was acknowledged`;
    throw new CatalogError('UNAVAILABLE', message);
  }

  #nextServerVersion(name: string): number {
    return Math.max(this.#nowS, (this.#replica.entryOf(serverKey(name))?.version ?? 0) + 1);
  }

  /** Children matter where one asks for them, and where nothing else shows that the path is there. */
  async #lookFor({ kind, path }: Pick<Command, 'kind' | 'path'>): Promise<MergedLook> {
    if (kind === 'set') {
      const look = await this.#coordinator.look(path, { withChildren: false });
      if (look.hasValue) return look;
    }
    return this.#coordinator.look(path, { withChildren: true });
  }

  async #makeParents(path: string, version: number): Promise<void> {
    const parent = parentOf(path);
    if (parent === ROOT || (await this.#lookFor({ kind: 'set', path: parent })).has(parent)) return;
    await this.#makeParents(parent, version);
    await this.#coordinator.write({ key: parent, entry: versioned(version, new Uint8Array()) });
  }

  /** Throws OUTCOME_UNKNOWN when this server has been crashed since it was asked: others may have the entries. */
  async #absorb(entries: readonly KeyedEntry[]): Promise<void> {
    if (entries.length === 0) return;
    if (this.isCrashed) {
      throw new CatalogError('OUTCOME_UNKNOWN', `${this.#options.name} is crashed; the change may be made later`);
    }
    await this.takeIn(async () => {
      await Promise.all(entries.map((keyed) => this.journal.append(encodeEntry(keyed))));
      for (const { key, entry } of entries) this.#replica.absorb(key, entry);
    });
  }

  #schedule(): void {
    if (this.isClosed) return;
    this.#timer = this.runtime.clock.after(this.#isBlank ? HURRY_MS : this.#options.gossipMs, () => {
      this.#round()
        .catch((error: unknown) => {
          rethrowProgramFault(error);
          this.runtime.log.warn('catalog.gossip_failed', errorFields(error));
        })
        .finally(() => this.#schedule());
    });
  }

  async #round(): Promise<void> {
    if (this.refusal !== null) return;
    const name = await this.#gossip.round();
    if (!this.#isBlank) return;
    if (name !== null) this.#comparedWith.add(name);
    // Whatever was acknowledged is on one of so many others.
    const servers = this.group.places.length;
    const needed = servers - (this.#options.writeQuorum ?? this.#majority) + 1;
    if (this.#comparedWith.size < Math.min(needed, servers - 1)) return;
    await this.journal.append(BEGUN);
    this.#replica.hasBegun = true;
  }
}
