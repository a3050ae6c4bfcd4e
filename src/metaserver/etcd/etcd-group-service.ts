// GroupService of a metaserver that shares a log in etcd. Servers say to each other who they are, and send whole states; everything
// else goes through etcd.
import { ServiceError } from '../../protocol/errors.js';
import type { GroupRole, GroupService, GroupStatus, ServerPlace } from '../../protocol/services/group.js';
import { nameOf } from '../../replication/core/members.js';
import type { IncomingStates } from '../../replication/link/incoming-states.js';
import type { Peers } from '../../replication/link/peers.js';
import { readGreeting, textOf } from '../../replication/link/read-greeting.js';
import { stateCalls } from '../../replication/link/state-calls.js';
import { diskStatus } from '../group/disk-status.js';
import type { GroupPlace } from '../metrics.js';
import type { EtcdStorage } from './etcd-storage.js';

export interface EtcdGroupServiceParts {
  name: string;
  /** All that are configured. */
  members: readonly ServerPlace[];
  peers: Peers;
  states: IncomingStates;
  /** null while this server follows no log. */
  storage: () => EtcdStorage | null;
  /** Why it does not, or why etcd does not answer; empty when all is well. */
  trouble: () => string;
  sendState: (to: string) => void;
  isServing: () => boolean;
}

export function etcdGroupService(parts: EtcdGroupServiceParts): GroupService {
  const { name: own, members, peers, states, storage, sendState } = parts;
  const names = members.map(({ name }) => name);
  const leading = (): EtcdStorage => {
    const led = storage();
    if (led === null) throw new ServiceError('NOT_LEADER', parts.trouble() || 'it follows no log yet');
    if (led.member.reign === null) throw led.member.notLeader();
    return led;
  };
  return {
    async hello(request) {
      return peers.heard(readGreeting(request));
    },
    /** The caller lacks entries that etcd has no more: it gets the whole state. */
    async join({ id }) {
      leading();
      sendState(textOf(id));
      return {};
    },
    async add() {
      throw new ServiceError('REFUSED', 'metaservers that share a log in etcd are added by the configuration of each');
    },
    async remove({ name }) {
      const led = leading();
      if (textOf(name) === own) {
        if (names.length === 1) throw new ServiceError('REFUSED', `${name} is the only metaserver`);
        await led.member.handOver();
        throw led.member.notLeader();
      }
      await led.forget(name);
      return {};
    },
    async transfer({ name }) {
      const led = leading();
      if (!names.includes(textOf(name))) throw new ServiceError('REFUSED', `${name} is no metaserver of this cluster`);
      if (name !== own) await led.member.handOver(name);
      return {};
    },
    async send() {
      throw new ServiceError('REFUSED', `${own} shares a log in etcd: metadataProtocol must be the same everywhere`);
    },
    ...stateCalls(states),
    status: () => statusOf(parts),
  };
}

/** What is known without asking anybody. */
export function etcdPlaceOf(storage: EtcdStorage | null): GroupPlace & Pick<GroupStatus, 'role'> {
  const member = storage?.member;
  const appliedIndex = storage?.applied.index ?? 0;
  const head = member?.head;
  const lastIndex = Math.max(head?.index ?? 0, appliedIndex);
  const term = member?.reign?.mandate.term ?? member?.look?.leader?.term ?? head?.term ?? 0;
  const behindMs = Math.round(member?.behindMs ?? 0);
  return { role: roleOf(storage), term, lastIndex, committedIndex: lastIndex, appliedIndex, behindMs };
}

function roleOf(storage: EtcdStorage | null): GroupRole {
  if (storage === null) return 'blank';
  const { member } = storage;
  if (member.reign !== null) return 'leader';
  return member.needsState ? 'learner' : 'follower';
}

async function statusOf({ members, storage, trouble, isServing }: EtcdGroupServiceParts): Promise<GroupStatus> {
  const own = storage();
  const disk = await diskStatus(own);
  return {
    ...etcdPlaceOf(own),
    id: own?.self ?? null,
    isServing: isServing(),
    // Each sees the log itself.
    lags: [],
    sending: (own?.states.sending ?? []).map(({ to, done, total }) => ({ name: nameOf(to), done, total })),
    leader: own?.member.look?.leader?.name ?? null,
    voters: own === null ? [] : members.map(({ name }) => name),
    servers: own === null ? [] : members.map(({ name, address }) => ({ name, address })),
    learners: [],
    ...disk,
    reason: disk.reason || trouble(),
  };
}
