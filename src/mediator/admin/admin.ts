// AdminService: status, votes, scrubs, test hooks and live settings.
import { ServiceError } from '../../protocol/errors.js';
import { nameToText } from '../../protocol/http/text.js';
import type { AdminService, BlockVotes, ClusterStatus, MediatorStatus } from '../../protocol/services/admin.js';
import type { ServerPlace } from '../../protocol/services/group.js';
import type { BlockReference, MetadataService } from '../../protocol/services/metadata.js';
import { asError } from '../../runtime/caught-errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Counters } from '../counters.js';
import type { MetaserverPart } from '../metadata/metaservers.js';
import type { ReplicaSet } from '../replicas/replica-set.js';
import type { MediatorSettings } from '../settings.js';
import type { Scrubber } from '../upkeep/scrub.js';
import type { BallotBox } from '../voting/ballot-box.js';
import type { Reader } from '../voting/reader.js';
import { BEHIND_LIMIT, dataServerStatus, survivalNow } from './cluster-status.js';
import { configure } from './live-settings.js';
import { MetaserverHooks, type ServerSupervisor } from './metaserver-hooks.js';
import { askGroup, askNewcomers, type LedHealth, metaserverStatuses } from './metaserver-status.js';
import { resolvePath } from './paths.js';

const VOTES_BATCH = 64;
/** Status waits no longer for a data server's numbers: it shows the last ones of a server that hangs. */
const FRESH_NUMBERS_MS = 300;
/** Status waits no longer for the metaserver, which may be busy. */
const METASERVER_ANSWER_MS = 1000;
/** A restart may take this long: the new process must load and open its store. Callers wait a little longer. */
const RESTART_LIMIT_MS = 55_000;
/** A server that runs is given this long to be let in, even if its supervisor has used up the time of the restart. */
const ADMISSION_LIMIT_MS = 5000;

export interface AdminParts {
  /** Of this mediator, as status shows it. */
  address: string;
  /** What status says of all mediators. */
  mediators(): Promise<MediatorStatus[]>;
  testHooks: boolean;
  /** Absent when nobody supervises the servers here. */
  supervisor?: ServerSupervisor;
  metadata: MetadataService;
  metaservers: readonly MetaserverPart[];
  /** The name of the metaserver that calls go to; null when none leads. */
  leader: () => string | null;
  /** Metaservers that belong to the group, by the word of one of them. */
  learn: (servers: readonly ServerPlace[]) => void;
  replicas: ReplicaSet;
  reader: Reader;
  scrubber: Scrubber;
  settings: MediatorSettings;
  counters: Counters;
  clock: Clock;
}

type Request<K extends keyof AdminService> = Parameters<AdminService[K]>[0];
type Reply<K extends keyof AdminService> = ReturnType<AdminService[K]>;

export class MediatorAdmin implements AdminService {
  readonly #parts: AdminParts;
  readonly #metadata: MetadataService;
  readonly #replicas: ReplicaSet;
  readonly #settings: MediatorSettings;
  readonly #metaservers: MetaserverHooks;

  constructor(parts: AdminParts) {
    this.#parts = parts;
    this.#metadata = parts.metadata;
    this.#replicas = parts.replicas;
    this.#settings = parts.settings;
    this.#metaservers = new MetaserverHooks(parts.metaservers, parts.supervisor, parts.clock);
  }

  async status(): Promise<ClusterStatus> {
    const known = [...this.#parts.metaservers];
    const [led, first, mediators] = await Promise.all([
      this.#ledHealth(),
      askGroup(known),
      this.#parts.mediators(),
      this.#replicas.refresh(FRESH_NUMBERS_MS),
    ]);
    for (const answer of first) if (!(answer instanceof Error)) this.#parts.learn(answer.servers);
    const parts = [...this.#parts.metaservers];
    const answers = [...first, ...(await askNewcomers(parts.slice(known.length), this.#parts.clock))];
    const { health } = led;
    const missed =
      health instanceof Error ? null : new Map(health.missed.map(({ server, blocks }) => [server, blocks]));
    const metaservers = metaserverStatuses(parts, answers, led);
    const dataservers = this.#replicas.replicas.map((replica) =>
      dataServerStatus(replica, missed === null ? null : (missed.get(replica.name) ?? 0)),
    );
    const { address } = this.#parts;
    const { readable, writable, survives, survivesNow } = survivalNow(this.#settings, metaservers, dataservers);
    return {
      readQuorum: this.#settings.readQuorum,
      writeQuorum: this.#settings.writeQuorum,
      readable,
      writable,
      audit: this.#settings.audit,
      onWriteQuorumLost: this.#settings.onWriteQuorumLost,
      mediator: { address },
      mediators,
      metaservers,
      dataservers,
      survives,
      survivesNow,
      counters: this.#parts.counters.snapshot(),
    };
  }

  async #ledHealth(): Promise<LedHealth> {
    const limits = { deadlineMs: METASERVER_ANSWER_MS };
    const asking = this.#metadata.query({ name: 'health', request: { limit: BEHIND_LIMIT } }, limits);
    const health = await asking.catch(asError);
    return { leader: this.#parts.leader(), health };
  }

  async votes({ path }: Request<'votes'>): Reply<'votes'> {
    const votes: BlockVotes[] = [];
    for await (const boxes of this.#poll(path)) {
      for (const box of boxes) {
        const { reference } = box.wanted;
        const verdict = box.verdict(0, this.#settings.readQuorum);
        votes.push({
          index: reference.index,
          version: reference.version,
          witness: reference.hash,
          length: reference.length,
          verdict: verdict.outcome === 'agreed' ? 'agreed' : 'no-quorum',
          agreeing: box.agreeing().length,
          ballots: this.#replicas.replicas.map((replica) => ({
            server: replica.name,
            ballot: box.ballots.get(replica) ?? { state: 'unreachable' },
          })),
        });
      }
    }
    return { blocks: votes };
  }

  async locate({ path }: Request<'locate'>): Reply<'locate'> {
    const blocks = [];
    for await (const boxes of this.#poll(path)) {
      for (const box of boxes) {
        const holders = new Set(box.agreeing());
        const servers = this.#replicas.replicas.filter((replica) => holders.has(replica)).map(({ name }) => name);
        blocks.push({ index: box.wanted.reference.index, version: box.wanted.reference.version, servers });
      }
    }
    return { blocks };
  }

  async listContents({ server, ...request }: Request<'listContents'>): Reply<'listContents'> {
    const replica = this.#replicas.byName(server);
    this.#requireReachable(server);
    const { entries, next } = await replica.call(() => replica.blocks.list(request));
    const paths = new Map<number, string | null>();
    for (const { inode } of entries) {
      if (paths.has(inode)) continue;
      const { path } = await this.#metadata.query({ name: 'path', request: { inode } });
      paths.set(inode, path === null ? null : nameToText(path));
    }
    const located = entries.map((entry) => ({ ...entry, path: paths.get(entry.inode) ?? null }));
    return next === undefined ? { entries: located } : { entries: located, next };
  }

  async corrupt({ path, server, text }: Request<'corrupt'>): Reply<'corrupt'> {
    this.#requireHooks();
    const replica = this.#replicas.byName(server);
    this.#requireReachable(server);
    let count = 0;
    for await (const { inode, blocks } of this.#blocksOf(path)) {
      for (const { index, version } of blocks) {
        const key = { inode, index, version };
        await replica.call(() => replica.hooks.corrupt(text === undefined ? key : { ...key, text }));
        count++;
      }
    }
    return { blocks: count };
  }

  async terminate({ server }: Request<'terminate'>): Reply<'terminate'> {
    this.#requireHooks();
    if (this.#metaservers.has(server)) {
      await this.#metaservers.terminate(server);
      return {};
    }
    const replica = this.#replicas.byName(server);
    this.#requireReachable(server);
    await replica.hooks.terminate({});
    return {};
  }

  async restart({ server, blank }: Request<'restart'>): Reply<'restart'> {
    this.#requireHooks();
    const { clock, supervisor } = this.#parts;
    const endMs = clock.monotonicMs() + RESTART_LIMIT_MS;
    const leftMs = () => Math.max(endMs - clock.monotonicMs(), ADMISSION_LIMIT_MS);
    if (this.#metaservers.has(server)) {
      await this.#metaservers.restart(server, blank);
      await this.#metaservers.untilBack(server, leftMs());
      return {};
    }
    const replica = this.#replicas.byName(server);
    // The server is back after the connection to the old process is lost, unless that is lost already.
    const losses = replica.losses + (replica.remote.state === 'up' ? 1 : 0);
    if (supervisor !== undefined) await supervisor.restart(server, blank);
    else if (replica.reachable) await replica.hooks.restart({ blank });
    else {
      throw new ServiceError(
        'FAILED',
        `${server} is not running and nobody supervises it here: start it on its host with nmrfs serve data`,
      );
    }
    await this.#replicas.untilBack(replica, losses, leftMs());
    return {};
  }

  async scrub({ path }: Request<'scrub'>): Reply<'scrub'> {
    const inode = path === undefined ? null : (await resolvePath(this.#metadata, path)).inode;
    return this.#parts.scrubber.start(inode);
  }

  async scrubProgress(): Reply<'scrubProgress'> {
    return this.#parts.scrubber.progress;
  }

  async configure({ key, value }: Request<'configure'>): Reply<'configure'> {
    return { key, value: configure(this.#settings, this.#replicas.replicas.length, key, value) };
  }

  #requireHooks(): void {
    if (!this.#parts.testHooks) {
      throw new ServiceError('REFUSED', 'test hooks are off; set testHooks: true in the config to use them');
    }
  }

  #requireReachable(server: string): void {
    if (!this.#replicas.byName(server).reachable) throw new ServiceError('FAILED', `${server} is down`);
  }

  /** The block map of a file, some entries at a time. */
  async *#blocksOf(path: string): AsyncGenerator<{ inode: number; blocks: BlockReference[] }> {
    const { inode, kind, sizeBytes, blockSizeBytes } = await resolvePath(this.#metadata, path);
    if (kind !== 'file') throw new ServiceError('FAILED', `${path} is a ${kind}: only files have blocks`);
    for (let first = 0; first * blockSizeBytes < sizeBytes; first += VOTES_BATCH) {
      const request = { inode, first, count: VOTES_BATCH };
      const { blocks } = await this.#metadata.query({ name: 'blocks', request });
      yield { inode, blocks };
    }
  }

  async *#poll(path: string): AsyncGenerator<BallotBox[]> {
    for await (const { inode, blocks } of this.#blocksOf(path)) {
      yield await this.#parts.reader.poll(
        blocks.map((reference) => ({ inode, reference, offset: 0, length: reference.length })),
      );
    }
  }
}
