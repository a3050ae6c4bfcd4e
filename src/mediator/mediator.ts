// Wires the parts of the mediator together behind FileService, SessionService and
// AdminService.
import type { XmlRpcMethods } from '../protocol/http/xml-rpc.js';
import type { AdminService, MediatorStatus } from '../protocol/services/admin.js';
import type { FileService } from '../protocol/services/files.js';
import type { ServerPlace } from '../protocol/services/group.js';
import type { MetadataService } from '../protocol/services/metadata.js';
import type { SessionService } from '../protocol/services/sessions.js';
import { CLIENT_ID_BYTES, RequestIds } from '../protocol/values/request-ids.js';
import { errorFields } from '../runtime/caught-errors.js';
import { rethrowProgramFault } from '../runtime/faults.js';
import { randomHex } from '../runtime/random.js';
import { sparingRepetitions } from '../runtime/repeated-log.js';
import type { Runtime } from '../runtime/runtime.js';
import { MediatorAdmin } from './admin/admin.js';
import type { ServerSupervisor } from './admin/metaserver-hooks.js';
import { mediatorXmlRpc } from './admin/xml-rpc.js';
import { Counters } from './counters.js';
import { EarlyAnswers } from './early/early-answers.js';
import { KnownRows } from './early/known-rows.js';
import { Learning } from './early/learning.js';
import { guarded } from './epochs/guarded.js';
import type { Tenure } from './epochs/tenure.js';
import { ContentChanges } from './files/content-changes.js';
import { FileReader } from './files/file-reader.js';
import { MediatorFiles } from './files/files.js';
import { MetadataChanges } from './files/metadata-changes.js';
import { NextFiles } from './files/next-files.js';
import { refusingFiles } from './files/refusing-files.js';
import { Removals } from './files/removals.js';
import { type Kept, keptBy } from './kept.js';
import { BlockMap } from './metadata/block-map.js';
import { EarlierAttempts } from './metadata/earlier-attempts.js';
import { KnownNames } from './metadata/known-names.js';
import { METADATA_DEADLINE_MS, MetaserverConnection } from './metadata/metaserver-connection.js';
import { followMetaservers, type MetaserverPart } from './metadata/metaservers.js';
import { retryingMetadata } from './metadata/retrying-metadata.js';
import { Versions } from './metadata/versions.js';
import { Metrics } from './metrics.js';
import { type EventLogs, MediatorPage } from './page/mediator-page.js';
import { type ReplicaParts, ReplicaSet } from './replicas/replica-set.js';
import { HeldFiles } from './sessions/held-files.js';
import { Sessions } from './sessions/sessions.js';
import type { MediatorSettings } from './settings.js';
import { GarbageCollector } from './upkeep/garbage.js';
import { KeptResults } from './upkeep/kept-results.js';
import { Orphans } from './upkeep/orphans.js';
import { Recovery } from './upkeep/recovery.js';
import { Repairer } from './upkeep/repair.js';
import { RepairQueue } from './upkeep/repair-queue.js';
import { Scrubber } from './upkeep/scrub.js';
import { Auditor } from './voting/audit.js';
import { type DecidedVote, decidedVote } from './voting/decided-vote.js';
import { Reader } from './voting/reader.js';
import { Appends } from './writing/appends.js';
import { FileWriter } from './writing/file-writer.js';

export type { ServerSupervisor } from './admin/metaserver-hooks.js';

export interface MediatorOptions extends MediatorSettings {
  /** Shown in `status`. */
  address: string;
  /** Of files made from now on. */
  blockSizeBytes: number;
  testHooks: boolean;
  /**
   * Who is answered before the metaserver has what was changed: a mount in this process, which ends with it, while no other is
   * there; or, in tests, all mounts. The verifiers of these say that changes may be lost with this process. Default own.
   */
  answersEarly?: 'own' | 'all';
  /** A data server that does not answer for so long is down. */
  deadlineMs: number;
  /**
   * This is the cluster's mediator: it rebuilds, catches up and collects garbage, and assumes that all changes pass through it.
   * Mediators without it may write beside it, as tests of compare-and-set do; an open here may then miss their last writes.
   */
  maintenance: boolean;
  /** Is told of each vote of a read, when it is over. Absent where nobody wants to know. */
  onVote?: (vote: DecidedVote) => void;
  /** For the page; absent where no logs are kept. */
  logs?: EventLogs;
}

export interface MediatorParts {
  metaservers: MetaserverPart[];
  /** To a metaserver that is added while this mediator runs; absent where none may be. */
  connectMetaserver?: (server: ServerPlace) => MetaserverPart;
  dataservers: ReplicaParts[];
  /** With the epoch that this mediator was given. Without one it is no active mediator, as in tests that have several side by side. */
  tenure?: Tenure;
  /** What status says of all mediators; of this one alone when absent. */
  mediators?: () => Promise<MediatorStatus[]>;
  /** Absent when nobody supervises the servers here. */
  supervisor?: ServerSupervisor;
}

export interface Mediator {
  readonly files: FileService;
  /**
   * For a mount in this process. Its changes of names may be answered before the metaserver has them: they are lost where this
   * process ends before it has sent them, and the mount with it.
   */
  readonly ownFiles: FileService;
  readonly sessions: SessionService;
  readonly admin: AdminService;
  readonly xmlRpc: XmlRpcMethods;
  /** What the page shows; its history begins when it is started. */
  readonly page: MediatorPage;
  /** Prometheus text. */
  metrics(): Promise<string>;
  /** Whether enough data servers for a write can be reached. */
  hasWriteQuorum(): boolean;
  /** How many entries it keeps in memory, by kind. */
  kept(): Kept;
  /** Adds what a mount in this process keeps to the metrics. */
  addKept(by: string, kept: () => Kept): void;
  /** Ends background work; requests under way may still fail or finish. */
  close(): Promise<void>;
}

/** As long as kernels trust names by default: what a process that was stopped believes when it goes on. */
const LOOKED_AT_MS = 10_000;
/** A mediator that is stopped waits no longer for its metaservers. */
const SETTLE_MS = 3000;
const RESIGN_MS = 1000;

/** Events that repeat as long as a server fails or is full: logged at most once a minute (runtime/repeated-log.ts). */
const LOOPS = [
  'garbage.interrupted',
  'garbage.orphan_kept',
  'garbage.refused',
  'recovery.interrupted',
  'rebuild.incomplete',
  'repair.failed',
  'replica.refused',
  'write.refused',
  'write.unanswered',
];

/** Another mediator may take over at once. */
async function resign(tenure: Tenure, metadata: MetadataService, { clock, log }: Runtime): Promise<void> {
  if (!tenure.isSole && !tenure.isOver) {
    const { epoch } = tenure;
    const message = { name: 'resign', timeNs: clock.nowNs(), request: { epoch }, durable: true } as const;
    await metadata.execute(message, { deadlineMs: RESIGN_MS }).catch((error: unknown) => {
      rethrowProgramFault(error);
      log.debug('mediator.not_resigned', errorFields(error));
    });
  }
  tenure.end();
}

function ownStatus(address: string, tenure: Tenure | undefined): MediatorStatus {
  return { name: 'mediator', address, state: 'active', epoch: tenure?.epoch ?? 0 };
}

/**
 * Opens a mediator over connected (or connecting) remotes; resolves when the metaserver has answered and every data
 * server is let in or has failed to connect once; those that hang hold it up only while fewer than the write quorum are let in.
 */
export async function openMediator(options: MediatorOptions, parts: MediatorParts, given: Runtime): Promise<Mediator> {
  const runtime = sparingRepetitions(given, LOOPS);
  const deadlineMs = Math.max(METADATA_DEADLINE_MS, options.deadlineMs);
  const { tenure } = parts;
  const metaservers = followMetaservers({
    metaservers: parts.metaservers,
    connect: parts.connectMetaserver,
    deadlineMs,
    runtime,
  });
  const counters = new Counters(() => replicas.totals());
  const connection = new MetaserverConnection({
    remote: metaservers,
    metadata: tenure?.watch(metaservers.metadata) ?? metaservers.metadata,
    deadlineMs,
    ids: new RequestIds(randomHex(runtime.random, CLIENT_ID_BYTES)),
    counters,
    runtime,
    epoch: tenure?.epoch,
    listener: {
      restarted: () => {
        rows.clear();
        sessions.invalidateAll();
      },
      outcomeUnknown: () => {
        blockMap.clear();
        names.clear();
        rows.clear();
        sessions.invalidateAll();
      },
    },
  });
  const rows = new KnownRows();
  const metadata = new Learning(rows, retryingMetadata(connection));
  const settings: MediatorSettings = {
    readQuorum: options.readQuorum,
    writeQuorum: options.writeQuorum,
    audit: options.audit,
    onWriteQuorumLost: options.onWriteQuorumLost,
  };
  const replicas: ReplicaSet = new ReplicaSet(parts.dataservers, {
    metadata,
    deadlineMs: options.deadlineMs,
    tenure,
    runtime,
  });
  const blockMap = new BlockMap(metadata);
  const names = new KnownNames(runtime.clock);
  const repairer = new Repairer({ reader: () => reader, metadata, runtime });
  const repairQueue = new RepairQueue({ repairer, metadata, runtime });
  const auditor = new Auditor(
    (box, replica) => repairQueue.add(box, replica),
    () => connection.calls,
    counters,
    runtime,
  );
  const { onVote } = options;
  const reader: Reader = new Reader({
    replicas,
    settings,
    observer: {
      dissented: (box, replica) => repairQueue.add(box, replica),
      unasked: (wanted, others) => {
        if (settings.audit === 'all') auditor.add(wanted, others);
      },
      ...(onVote === undefined
        ? {}
        : { decided: (box, silent) => onVote(decidedVote(box, silent, settings.readQuorum)) }),
    },
    counters,
    runtime,
  });
  const nextFiles = new NextFiles({ blockMap, reader, runtime });
  const fileReader = new FileReader({ blockMap, reader, nextFiles, replicas, auditor, counters, runtime });
  const recovery = new Recovery({ metadata, replicas, repairer, counters, runtime });
  const held = new HeldFiles({
    released: async (inode) => {
      await orphans.released(inode);
      garbage.wake();
    },
    sparingEnded: () => garbage.wake(),
  });
  const purged = (inode: number) => blockMap.forget(inode);
  const orphans = new Orphans({ metadata, held, runtime, purged });
  const garbage = new GarbageCollector({
    ...{ metadata, replicas, orphans, counters, runtime },
    requests: () => connection.calls + auditor.reads,
  });
  const keptResults = new KeptResults(connection.ids.client, metadata, runtime);
  const sessions: Sessions = new Sessions(held, runtime, (client) => keptResults.ended(client));
  metaservers.onStateChange((state) => {
    if (state !== 'down') return;
    blockMap.clear();
    names.clear();
    rows.clear();
    garbage.startOver();
  });
  const versions = new Versions(metadata, runtime.clock);
  const scrubber = new Scrubber({ metadata, replicas, reader, repairer, versions, runtime });
  const writer = new FileWriter({
    metadata,
    ids: connection.ids,
    replicas,
    blockMap,
    reader,
    versions,
    settings,
    deadlineMs: options.deadlineMs,
    counters,
    runtime,
    onMissing: () => recovery.wake(),
  });
  const earlier = new EarlierAttempts(metadata, blockMap, runtime.clock);
  const appends = new Appends(blockMap, writer);
  const { clock } = runtime;
  const { blockSizeBytes } = options;
  const answersAll = options.answersEarly === 'all';
  const early = new EarlyAnswers({
    rows,
    learning: metadata,
    mayAnswer: () =>
      connection.answered.isOpen &&
      !connection.unsynced.isCrowded &&
      tenure?.isOver !== true &&
      (answersAll || sessions.areAlone),
    mayLook: () => connection.isReady && (tenure?.isConfirmedWithin(LOOKED_AT_MS) ?? true),
    answered: (command, result) => connection.noteAnsweredHere(command, result),
    answeredQuery: () => connection.noteQueryAnsweredHere(),
    diskTakes: (takesRoom) => connection.answered.takes(takesRoom),
    askDisk: () => connection.answered.askDisk(),
    nowNs: () => clock.nowNs(),
  });
  const filesParts = {
    ...{ metadata, connection, blockMap, names, reader: fileReader, writer, held, sessions, replicas, clock },
    content: new ContentChanges({ metadata, blockMap, writer, appends, earlier, garbage, sessions, replicas }),
    removals: new Removals({
      ...{ metadata, blockMap, held, sessions, garbage, orphans },
      inodeKnown: (parent, name) => rows.inodeOf(parent, name),
    }),
    blockSizeBytes,
    isSole: options.maintenance,
    verifier: () => {
      const { verifier } = connection;
      return answersAll ? { ...verifier, history: verifier.mediator } : verifier;
    },
  };
  const changesParts = { blockMap, names, sessions, clock, blockSizeBytes };
  const files = new MediatorFiles({ ...filesParts, changes: new MetadataChanges({ ...changesParts, metadata }) });
  const ownFiles = new MediatorFiles({
    ...filesParts,
    metadata: early,
    changes: new MetadataChanges({ ...changesParts, metadata: early }),
  });
  const admin = new MediatorAdmin({
    address: options.address,
    mediators: parts.mediators ?? (async () => [ownStatus(options.address, tenure)]),
    testHooks: options.testHooks,
    ...(parts.supervisor === undefined ? {} : { supervisor: parts.supervisor }),
    metadata,
    metaservers: parts.metaservers,
    leader: () => metaservers.leader,
    learn: (servers) => metaservers.learn(servers),
    replicas,
    reader,
    scrubber,
    settings,
    counters,
    clock,
  });
  const keepers = {
    auditor,
    blockMap,
    connection,
    held,
    names,
    nextFiles,
    repairQueue,
    replicas,
    rows,
    sessions,
    writer,
  };
  const quorums = { settings, replicas: replicas.replicas, hasMetadata: () => metaservers.leader !== null };
  const metrics = new Metrics(counters, replicas.replicas, quorums, () => keptBy(keepers));

  try {
    await connection.start();
    tenure?.begin(() => connection.confirm());
    await replicas.start(connection.clusterId, settings.writeQuorum);
  } catch (error) {
    tenure?.end();
    connection.close();
    metaservers.close();
    throw error;
  }
  if (options.maintenance) {
    recovery.wake();
    garbage.wake();
    keptResults.start();
  } else {
    await Promise.all([recovery.close(), garbage.close()]);
  }
  const offered = refusingFiles(answersAll ? ownFiles : files, sessions, tenure);
  const page = new MediatorPage({
    admin: tenure === undefined ? admin : guarded(admin, tenure, ['status']),
    files: offered,
    ...{ metadata, replicas, reader, counters, clock },
    testHooks: options.testHooks,
    supervisor: parts.supervisor,
    logs: options.logs,
  });
  return {
    files: offered,
    ownFiles: refusingFiles(ownFiles, sessions, tenure),
    sessions: tenure === undefined ? sessions.service : guarded(sessions.service, tenure),
    admin,
    page,
    xmlRpc: mediatorXmlRpc(offered, admin, metadata, runtime.clock),
    metrics: () => metrics.text(),
    hasWriteQuorum: () => replicas.reachable().length >= settings.writeQuorum,
    kept: () => keptBy(keepers),
    addKept: (by, kept) => metrics.addKept(by, kept),
    async close() {
      // Several metaservers that are stopped together have no majority to store what the leader has only answered.
      const mayLose = parts.metaservers.length > 1 || connection.answered.size > 0;
      if (mayLose && tenure?.isOver !== true) await connection.settle(SETTLE_MS);
      if (tenure !== undefined) await resign(tenure, metadata, runtime);
      // Background work that waits for the metaservers ends.
      metaservers.close();
      connection.close();
      sessions.close();
      page.close();
      auditor.close();
      repairQueue.close();
      replicas.close();
      await Promise.all([recovery.close(), garbage.close(), scrubber.close(), keptResults.close()]);
    },
  };
}
