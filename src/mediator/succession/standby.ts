// A mediator while another one is active: it waits to take over, and passes on what
// administrators ask.
import { ServiceError } from '../../protocol/errors.js';
import { followActiveMediator } from '../../protocol/following/active-mediator.js';
import type { LeaderRemote } from '../../protocol/following/leader-remote.js';
import type { XmlRpcMethods } from '../../protocol/http/xml-rpc.js';
import type { AdminService, ClusterStatus } from '../../protocol/services/admin.js';
import type { CallOptions } from '../../protocol/services/service.js';
import { survives } from '../../protocol/values/quorum.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import { mediatorStatuses } from '../admin/mediator-status.js';
import { askGroup, metaserverStatuses } from '../admin/metaserver-status.js';
import { toXmlRpc } from '../admin/xml-rpc.js';
import { Connections } from '../connections.js';
import { Candidacy, type Won } from '../epochs/candidacy.js';
import { SILENCE_MS } from '../epochs/tenure.js';
import { followMetaservers, type MetaserverPart, type Metaservers } from '../metadata/metaservers.js';
import type { ReplicaParts } from '../replicas/replica-set.js';
import { countReached } from './reach.js';
import type { SeveralOptions } from './several-options.js';

/** An active mediator that does not answer in this time may be gone. */
const STATUS_DEADLINE_MS = 2000;
/** What is passed on may take long, as restarting a server does; whoever asks has a deadline of his own. */
const PASSED_ON_MS = 120_000;
const NOBODY = 'no mediator is active';

export class Standby {
  readonly #connections: Connections;
  readonly #metaserverParts: MetaserverPart[];
  readonly #metaservers: Metaservers;
  readonly #others: ReplicaParts[];
  readonly #active: LeaderRemote;
  readonly #candidacy: Candidacy;
  /** Connected when they are asked for. */
  #dataservers: ReplicaParts[] | null = null;
  readonly admin: AdminService;
  readonly xmlRpc: Pick<XmlRpcMethods, 'status'>;

  readonly #options: SeveralOptions;

  constructor(options: SeveralOptions, runtime: Runtime) {
    const { name, others, deadlineMs } = options;
    this.#options = options;
    this.#connections = new Connections(options, runtime);
    this.#metaserverParts = options.metaservers.map((peer) => this.#connections.toMetaserver(peer));
    this.#others = this.#connections.to(others);
    this.#metaservers = followMetaservers({
      metaservers: this.#metaserverParts,
      connect: (server) => this.#connections.toMetaserver(server),
      ...{ deadlineMs, runtime },
    });
    this.#active = followActiveMediator({ servers: this.#others, deadlineMs, runtime });
    const { metadata } = this.#metaservers;
    this.#candidacy = new Candidacy({
      ...{ name, silenceMs: SILENCE_MS, metadata, runtime },
      isLone: () => this.#metaserverParts.length === 1,
    });
    const remote = this.#active.service<AdminService>('admin');
    const status: AdminService['status'] = (request) =>
      remote.status(request, { deadlineMs: STATUS_DEADLINE_MS }).catch((error: unknown) => {
        rethrowProgramFault(error);
        runtime.log.debug('mediator.active_silent', errorFields(error));
        return this.#ownStatus();
      });
    this.xmlRpc = { status: async () => toXmlRpc(await status({})) };
    this.admin = new Proxy(remote, {
      get(target, member) {
        if (member === 'status') return status;
        const method: unknown = Reflect.get(target, member);
        if (typeof method !== 'function') return method;
        return (request: object, options?: CallOptions) => method(request, { deadlineMs: PASSED_ON_MS, ...options });
      },
    });
  }

  get epoch(): number {
    return this.#candidacy.epoch;
  }

  /** See Candidacy. */
  won(): Promise<Won | null> {
    return this.#candidacy.won();
  }

  /** How many data servers it would reach. */
  reach(): Promise<number> {
    this.#dataservers ??= this.#connections.toProbed(this.#options.dataservers);
    return countReached(this.#dataservers);
  }

  /** Of what the active one is there for. */
  refusal(): ServiceError {
    const { active } = this.#candidacy;
    if (active === '') return new ServiceError('NOT_LEADER', NOBODY);
    return new ServiceError('NOT_LEADER', `${active} is the active mediator`, active);
  }

  async close(): Promise<void> {
    this.#candidacy.stop();
    this.#active.close();
    this.#metaservers.close();
    await this.#connections.close();
  }

  /** Nobody can say how the data servers are. */
  async #ownStatus(): Promise<ClusterStatus> {
    const { name, address, readQuorum, writeQuorum, audit, onWriteQuorumLost } = this.#options;
    const [answers, mediators] = await Promise.all([
      askGroup(this.#metaserverParts),
      mediatorStatuses({ name, address, role: 'standby', epoch: this.epoch }, this.#others),
    ]);
    const active = this.#others.find((other) => other.name === this.#candidacy.active);
    const quorums = { readQuorum, writeQuorum };
    return {
      ...{ readQuorum, writeQuorum, readable: false, writable: false, audit, onWriteQuorumLost },
      mediator: { address: active?.address ?? '' },
      mediators,
      metaservers: metaserverStatuses(this.#metaserverParts, answers),
      dataservers: this.#options.dataservers.map((server) => ({
        ...UNKNOWN,
        name: server.name,
        address: server.address,
      })),
      survives: survives(this.#options.dataservers.length, quorums),
      survivesNow: { complete: 0, reads: 0, writes: 0 },
      counters: {},
    };
  }
}

const UNKNOWN = {
  state: 'down',
  blocks: 0,
  bytes: 0,
  dissents: 0,
  repairs: 0,
  trouble: null,
  reason: NOBODY,
  behind: null,
  freeBytes: 0,
  totalBytes: 0,
} as const;
