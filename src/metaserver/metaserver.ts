// A metaserver without its network: opens the namespace in a folder and
// answers MetadataService.
import { Buffer } from 'node:buffer';
import type { XmlRpcMethods } from '../protocol/http/xml-rpc.js';
import type { MetadataService } from '../protocol/services/metadata.js';
import { errorFields } from '../runtime/caught-errors.js';
import { randomHex } from '../runtime/random.js';
import { sparingRepetitions } from '../runtime/repeated-log.js';
import type { Runtime } from '../runtime/runtime.js';
import { DiskHealth } from './disk-health.js';
import { Engine } from './engine/engine.js';
import type { EngineFactory } from './engine/storage.js';
import { Executor, MAXIMUM_LOST_INODES } from './executor.js';
import { Metrics } from './metrics.js';
import { initialise } from './namespace/initial-state.js';
import { statistics } from './namespace/queries.js';
import { encodeCounters } from './state/counters.js';
import { CLOSED_KEY, COUNTERS_KEY, HISTORY_KEY } from './state/keys.js';
import { Tables } from './state/tables.js';
import { metaserverMethods } from './xml-rpc.js';

export interface MetaserverOptions {
  /** Where the namespace is kept; made when it is missing. */
  directory: string;
  /** Whose the root is when the namespace is made; the superuser's when absent. */
  rootOwner?: { uid: number; gid: number };
  /** How long an answered command may stay in memory only, unless its caller waits for durability. Default 50. */
  commitIntervalMs?: number;
}

export interface Metaserver {
  readonly metadata: MetadataService;
  readonly xmlRpc: XmlRpcMethods;
  /** Prometheus text. */
  metrics(): Promise<string>;
  /** Everything answered is durable when it resolves. Rejects, and is closed all the same, when the disk takes nothing. */
  close(): Promise<void>;
}

const COMMIT_INTERVAL_MS = 50;
/** What a directory answers as its block size; files have their own. */
const ROOT_BLOCK_SIZE_BYTES = 4096;
const HISTORY_BYTES = 8;

/** Events that retries on a failing disk would log again and again: see runtime/repeated-log.ts. */
const LOOPS = [
  'metadata.commit_failed',
  'metadata.take_over_failed',
  'replication.log_unprepared',
  'metadata.command_failed',
];

/** Opens the namespace, making it at the first start. Fails when the store can't be opened. */
export async function openMetaserver(
  options: MetaserverOptions,
  given: Runtime,
  engineFactory: EngineFactory,
): Promise<Metaserver> {
  const runtime = sparingRepetitions(given, LOOPS);
  const engine = new Engine(await engineFactory(options.directory, runtime));
  const tables = new Tables(engine);
  const disk = new DiskHealth(engine, runtime);
  const isNew = tables.clusterId() === undefined;
  try {
    engine.transaction(() => start(tables, runtime, options.rootOwner ?? { uid: 0, gid: 0 }));
    await engine.commit().catch((error: unknown) => {
      if (isNew) throw error;
      // No command is applied before this is stored, which is tried again; queries are answered.
      disk.failed(error);
    });
    await disk.look();
  } catch (error) {
    await engine.close();
    throw error;
  }
  const metrics = new Metrics(
    () => engine.uncommittedKeys,
    () => statistics(tables),
  );
  const commitIntervalMs = options.commitIntervalMs ?? COMMIT_INTERVAL_MS;
  const executor = new Executor({ engine, tables, disk, runtime, metrics, commitIntervalMs });
  let closing: Promise<void> | null = null;
  // Every member of a served object can be called over the network: this one has the service's members and no others.
  const metadata: MetadataService = {
    execute: (message) => executor.execute(message),
    query: (message) => executor.query(message),
    sync: () => executor.sync(),
  };
  return {
    metadata,
    xmlRpc: metaserverMethods(metadata),
    metrics: () => metrics.text(),
    close() {
      closing ??= close(executor, engine, runtime);
      return closing;
    },
  };
}

async function close(executor: Executor, engine: Engine, { log }: Runtime): Promise<void> {
  try {
    await executor.close();
    engine.transaction(() => engine.put(CLOSED_KEY, Buffer.of(1)));
  } catch (error) {
    // As after a crash: what was answered and not stored is lost here. Mediators see the next start's history, and carry it out
    // again.
    log.error('metadata.not_closed', errorFields(error));
  }
  await engine.close();
}

/**
 * A crash may have lost answered commands; then a new history begins. Clients may still use inodes that lost commands made:
 * their numbers must not come to name other files, so more numbers are skipped than a crash can lose.
 */
function start(tables: Tables, runtime: Runtime, rootOwner: { uid: number; gid: number }): void {
  const { view } = tables;
  const clusterId = tables.clusterId();
  const wasClosed = view.get(CLOSED_KEY) !== undefined;
  if (clusterId === undefined) {
    const created = randomHex(runtime.random, 16);
    initialise(tables, created, runtime.clock.nowNs(), { blockSizeBytes: ROOT_BLOCK_SIZE_BYTES, ...rootOwner });
    runtime.log.info('metadata.created', { clusterId: created });
  } else if (wasClosed) {
    view.remove(CLOSED_KEY);
  } else {
    const counters = tables.counters();
    counters.nextInode += MAXIMUM_LOST_INODES;
    view.put(COUNTERS_KEY, encodeCounters(counters));
    runtime.log.info('metadata.recovered', { clusterId, nextInode: counters.nextInode });
  }
  // A store of an earlier version of nmrfs has no history yet, even when it was closed.
  if (!wasClosed || tables.history() === undefined) {
    view.put(HISTORY_KEY, Buffer.from(randomHex(runtime.random, HISTORY_BYTES), 'utf8'));
  }
}
