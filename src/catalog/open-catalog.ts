// Opens a server's store, and the catalog on it, under the configured protocol.
import type { ServerPlace } from '../protocol/services/group.js';
import { randomHex } from '../runtime/random.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Catalog } from './catalog.js';
import type { CatalogConfig, CatalogServerConfig } from './configuration/catalog-config.js';
import { LazyCatalog } from './lazy/lazy-catalog.js';
import { decodeBatch, Replica as LazyReplica } from './lazy/replica.js';
import { DiskKeeper, type Keeper, MemoryKeeper } from './ordered/keeper.js';
import { OrderedCatalog } from './ordered/ordered-catalog.js';
import type { RaftCalls } from './ordered/raft-calls.js';
import type { PeerGroupOptions } from './peers/peer-group.js';
import { QuorumCatalog } from './quorum/quorum-catalog.js';
import { Replica as QuorumReplica } from './quorum/replica.js';
import { DiskJournal, type Journal, NO_JOURNAL } from './storage/journal.js';
import { mustBeOwn, type StoreOwner } from './storage/own-store.js';
import { SmallFiles } from './storage/small-files.js';

const UNIQUE_BYTES = 6;

/** A catalog with what the other servers call. */
export interface ServedCatalog extends Catalog {
  readonly services: Record<string, object>;
  readonly raft?: RaftCalls;
  /** The others can reach this server by now. */
  start(): Promise<void>;
}

export interface OpenCatalogOptions {
  readonly config: CatalogConfig;
  readonly server: CatalogServerConfig;
  /** It comes into a group that is there already. */
  readonly isNewcomer: boolean;
}

/** Throws for a store of another server, cluster or protocol, and for one that can't be read. */
export async function openCatalog(options: OpenCatalogOptions, runtime: Runtime): Promise<ServedCatalog> {
  const { config, server, isNewcomer } = options;
  const { cluster, protocol, secret, heartbeatMs, electionTimeoutMs, gossipMs, readQuorum, writeQuorum } = config;
  const servers: ServerPlace[] = config.servers.map(({ name, address }) => ({ name, address }));
  const { name, address } = server;
  const common = { name, address, cluster, servers, isNewcomer, ...(secret === undefined ? {} : { secret }) };
  switch (protocol) {
    case 'raft':
    case 'viewstamped':
    case 'primary-backup':
      return OrderedCatalog.open(
        { ...common, protocol, timing: { heartbeatMs, electionTimeoutMs } },
        keeperOf(server, runtime),
        runtime,
      );
    case 'quorum': {
      const quorums = {
        ...(readQuorum === undefined ? {} : { readQuorum }),
        ...(writeQuorum === undefined ? {} : { writeQuorum }),
      };
      const unique = await claim(server, { ...common, protocol }, runtime);
      const replica = new QuorumReplica();
      const journal = journalOf(server, () => replica.parts(), runtime);
      await journal.replay(
        (part) => replica.replayPart(part),
        (record) => replica.replay(record),
      );
      return new QuorumCatalog(
        replica,
        journal,
        { ...common, protocol, gossipMs, ...quorums, self: `${name}/${unique}` },
        runtime,
      );
    }
    case 'lazy': {
      const unique = await claim(server, { ...common, protocol }, runtime);
      const replica = new LazyReplica();
      const journal = journalOf(server, () => replica.parts(), runtime);
      const absorb = (bytes: Uint8Array) => replica.absorb(decodeBatch(bytes));
      await journal.replay(absorb, absorb);
      return new LazyCatalog(replica, journal, { ...common, protocol, self: `${name}/${unique}` }, runtime);
    }
  }
}

function keeperOf({ directory }: CatalogServerConfig, runtime: Runtime): Keeper {
  return directory === undefined ? new MemoryKeeper() : new DiskKeeper(directory, runtime);
}

function journalOf({ directory }: CatalogServerConfig, state: () => Iterable<Uint8Array>, runtime: Runtime): Journal {
  return directory === undefined ? NO_JOURNAL : new DiskJournal(directory, state, runtime);
}

/** Marks a blank store as this server's. @returns what makes the store unique. Throws for a store of something else. */
async function claim(
  { directory }: CatalogServerConfig,
  { name, cluster, protocol }: Omit<PeerGroupOptions, 'self'>,
  { disk, random }: Runtime,
): Promise<string> {
  const unique = randomHex(random, UNIQUE_BYTES);
  if (directory === undefined) return unique;
  const files = new SmallFiles(directory, disk);
  const own = { cluster, protocol, name };
  const known = (await files.readJson('identity.json')) as Partial<StoreOwner & { incarnation: string }> | undefined;
  if (known === undefined) {
    await files.replaceJson('identity.json', { ...own, incarnation: unique });
    return unique;
  }
  mustBeOwn(directory, known, own);
  return known.incarnation ?? unique;
}
