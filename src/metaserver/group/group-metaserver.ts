// A metaserver as a member of its group: finds the group or founds it, and answers while it leads.

import { ServiceError } from '../../protocol/errors.js';
import type { Greeting, GroupService } from '../../protocol/services/group.js';
import { nameOf } from '../../replication/core/members.js';
import { askToJoin } from '../../replication/group/ask-to-join.js';
import { Membership } from '../../replication/group/membership.js';
import { GroupLink } from '../../replication/link/group-link.js';
import { IncomingStates } from '../../replication/link/incoming-states.js';
import { type PeerAddress, Peers } from '../../replication/link/peers.js';
import { sparingRepetitions } from '../../runtime/repeated-log.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { BaseFactory, BaseStorage } from '../engine/storage.js';
import { LOOPS, type MetaserverOptions, NamespaceHost } from '../metaserver.js';
import { found, readProgress, SEGMENT_BYTES } from '../storage/group-engine.js';
import { GroupStorage } from '../storage/group-storage.js';
import type { Protocol } from '../storage/make-core.js';
import { etcdLogOf, type Progress } from '../storage/progress.js';
import { clusterIdIn } from './cluster-id.js';
import { diskStatus } from './disk-status.js';
import { mostAgreeWithLeader } from './divergence.js';
import { FullDisk, untroubled } from './full-disk.js';
import { groupService, placeOf } from './group-service.js';
import { becomeNew, beginBlank } from './joining.js';
import { Roster } from './roster.js';

export interface GroupOptions {
  /** The configured name of the cluster. */
  cluster: string;
  protocol: Protocol;
  /** All configured metaservers, this one included. */
  members: readonly PeerAddress[];
}

export interface GroupMetaserverOptions extends MetaserverOptions {
  /** As configured. */
  name: string;
  group: GroupOptions;
  secret?: string;
  /** Of a segment of the log; 2 MiB when absent. */
  segmentBytes?: number;
}

export class GroupMetaserver {
  readonly host: NamespaceHost;
  readonly group: GroupService;
  readonly #peers: Peers;
  readonly #states: IncomingStates;
  /** Its disk is empty: it is known to belong to no group. */
  #isBlank = false;
  #storage: GroupStorage | null = null;
  /** Of its namespace, which never changes; null before it has one. */
  #clusterId: string | null = null;
  #membership: Membership | null = null;
  #fullDisk: FullDisk | null = null;
  #roster: Roster | null = null;
  #starting: Promise<void> | null = null;
  #link: GroupLink | null = null;
  #isClosed = false;

  readonly #base: BaseStorage;
  readonly #options: GroupMetaserverOptions;
  readonly #runtime: Runtime;

  private constructor(base: BaseStorage, options: GroupMetaserverOptions, runtime: Runtime) {
    this.#base = base;
    this.#options = options;
    this.#runtime = runtime;
    this.host = new NamespaceHost(options, runtime);
    const { name, group, secret } = options;
    const own = () => this.#greeting;
    this.#states = new IncomingStates(async (...state) => {
      const member = this.#storage?.member;
      if (member == null) throw this.#notLeader();
      await member.receiveState(...state);
    }, runtime);
    const others = group.members.filter((member) => member.name !== name);
    this.#peers = new Peers({ name, own, others, runtime, ...(secret === undefined ? {} : { secret }) });
    this.host.showGroup(
      () => placeOf(this.#storage),
      () => diskStatus(this.#storage),
    );
    this.group = groupService({
      states: this.#states,
      peers: this.#peers,
      storage: () => this.#storage,
      membership: () => this.#membership,
      placesOf: (names) => this.#roster?.placesOf(names) ?? [],
      add: (request) => this.host.metadata.execute({ name: 'addMetaserver', ...this.#now, request }),
      drop: (gone) => this.host.metadata.execute({ name: 'dropMetaserver', ...this.#now, request: { name: gone } }),
      link: () => this.#link,
      isServing: () => this.host.isServing,
      notLeader: () => this.#notLeader(),
    });
  }

  /** Opens the store. Rejects for one that can't be opened. */
  static async open(options: GroupMetaserverOptions, base: BaseFactory, given: Runtime): Promise<GroupMetaserver> {
    const runtime = sparingRepetitions(given, LOOPS);
    return new GroupMetaserver(await base(options.directory, runtime), options, runtime);
  }

  /** Whether its vote counts in its group, as far as it knows. */
  get isVoter(): boolean {
    return this.#storage?.standing === 'voter';
  }

  /** The last batch that it has applied. */
  get appliedIndex(): number {
    return this.#storage?.appliedIndex ?? 0;
  }

  /** Resolves when this server belongs to its group; one that is alone can be used then. */
  start(): Promise<void> {
    this.#starting = this.#start();
    return this.#starting;
  }

  async #start(): Promise<void> {
    const { directory, name } = this.#options;
    const progress = (await readProgress(directory, this.#base, name, this.#runtime)) ?? (await this.#begin());
    if (progress !== undefined && etcdLogOf(progress.self) !== null) {
      throw new Error(
        `the store in ${directory} follows a log in etcd, which may have changes that it lacks: metadataProtocol must stay etcd`,
      );
    }
    if (progress !== undefined) await this.#takePart(progress);
  }

  async #takePart(progress: Progress): Promise<void> {
    if (this.#isClosed) return;
    const { directory, group, segmentBytes = SEGMENT_BYTES } = this.#options;
    const { clock, log } = this.#runtime;
    const link = new GroupLink({
      self: progress.self,
      peers: this.#peers,
      deliver: (message) => storage.member?.receive(message),
      clock,
      log,
    });
    const storage: GroupStorage = new GroupStorage({
      directory,
      base: this.#base,
      progress,
      protocol: group.protocol,
      transport: link,
      segmentBytes,
      runtime: this.#runtime,
      diverged: () => {
        this.#starting = this.#replace(storage);
      },
    });
    await storage.open();
    this.#storage = storage;
    this.#link = link;
    this.#roster?.close();
    this.#roster = new Roster({
      configured: group.members,
      storage,
      added: (servers) => this.#peers.learn(servers),
      clock,
    });
    const membership = new Membership(storage, this.#runtime);
    this.#membership = membership;
    this.#fullDisk = new FullDisk({
      storage,
      isServing: () => storage.leadership.isServing,
      candidates: () => untroubled(storage.members.voters, this.#peers),
      handOver: (to) => membership.transfer(to),
      runtime: this.#runtime,
    });
    await this.host.begin(storage);
    this.#peers.announce();
    const hasLeader = () => storage.member?.status.leader != null;
    const standing = () => ({ standing: storage.standing, hasLeader: hasLeader() });
    await askToJoin(progress.self, standing, this.#joining);
    this.#peers.announce();
  }

  /** Its rows can't be trusted: it comes back as a new member. */
  async #replace(storage: GroupStorage): Promise<void> {
    this.#membership?.close();
    this.#fullDisk?.close();
    await this.#states.close();
    await storage.abandon();
    if (!(await mostAgreeWithLeader(storage, this.#joining))) return;
    await this.#takePart(await becomeNew(this.#base, this.#options.name, this.#runtime));
  }

  /** Everything that was answered is durable when it resolves. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#membership?.close();
    this.#fullDisk?.close();
    this.#roster?.close();
    await this.#states.close();
    // Whoever is no voter may wait for an answer of the others; a leader needs them to hand over.
    if (!this.isVoter) await this.#peers.close();
    // Its failure is for whoever has started it.
    await this.#starting?.catch(() => {});
    try {
      await this.host.close();
    } finally {
      await this.#peers.close();
      if (this.#storage === null) await this.#base.close();
    }
  }

  /** Of a change that this server makes itself. */
  get #now() {
    return { timeNs: this.#runtime.clock.nowNs(), durable: true };
  }

  #notLeader(): ServiceError {
    return this.#storage?.leadership.notLeader() ?? new ServiceError('NOT_LEADER', 'no leader is known');
  }

  get #greeting(): Greeting | null {
    const { name, group } = this.#options;
    const storage = this.#storage;
    if (storage === null && !this.#isBlank) return null;
    const hasGroup = storage !== null && storage.standing !== 'blank';
    this.#clusterId ??= clusterIdIn(storage);
    const members = storage?.member?.status.members;
    return {
      name,
      id: storage?.self ?? null,
      hasGroup,
      cluster: group.cluster,
      clusterId: this.#clusterId,
      servers: this.#roster?.placesOf([...(members?.voters ?? []), ...(members?.learners ?? [])].map(nameOf)) ?? [],
    };
  }

  get #joining() {
    return { peers: this.#peers, runtime: this.#runtime, isClosed: () => this.#isClosed };
  }

  #begin() {
    const { name, group } = this.#options;
    if (group.members.length <= 1) return found(this.#base, name, this.#runtime);
    this.#isBlank = true;
    this.#peers.announce();
    const isFirst = group.members[0]?.name === name;
    return beginBlank({ ...this.#joining, name, isFirst, base: this.#base });
  }
}
