// GroupService of a metaserver.
import type { GroupRole, GroupService, GroupStatus, ServerPlace } from '../../protocol/services/group.js';
import { nameOf } from '../../replication/core/members.js';
import type { Membership } from '../../replication/group/membership.js';
import type { GroupLink } from '../../replication/link/group-link.js';
import type { IncomingStates } from '../../replication/link/incoming-states.js';
import type { Peers } from '../../replication/link/peers.js';
import { readGreeting, textOf } from '../../replication/link/read-greeting.js';
import { stateCalls } from '../../replication/link/state-calls.js';
import type { GroupMember } from '../../replication/member/group-member.js';
import type { GroupPlace } from '../metrics.js';
import type { GroupStorage } from '../storage/group-storage.js';
import { diskStatus } from './disk-status.js';

export interface GroupServiceParts {
  peers: Peers;
  states: IncomingStates;
  /** null while this server is blank. */
  storage: () => GroupStorage | null;
  membership: () => Membership | null;
  /** Where those servers are, as far as it is known. */
  placesOf: (names: readonly string[]) => ServerPlace[];
  /** Keeps in the group where a server is. Rejects with NOT_LEADER. */
  add: (server: ServerPlace) => Promise<unknown>;
  drop: (name: string) => Promise<unknown>;
  link: () => GroupLink | null;
  /** Whether it answers MetadataService. */
  isServing: () => boolean;
  notLeader: () => Error;
}

export function groupService(parts: GroupServiceParts): GroupService {
  const { peers, states, storage, membership, link, isServing, notLeader } = parts;
  const changing = () => {
    const members = membership();
    if (members === null) throw notLeader();
    return members;
  };
  return {
    async hello(request) {
      return peers.heard(readGreeting(request));
    },
    async join({ id }) {
      await changing().join(textOf(id));
      return {};
    },
    async add({ name, address }) {
      await parts.add({ name: textOf(name), address: textOf(address) });
      return {};
    },
    async remove({ name }) {
      await changing().remove(textOf(name));
      await parts.drop(name);
      return {};
    },
    async transfer({ name }) {
      await changing().transfer(textOf(name));
      return {};
    },
    async send({ from, messages }) {
      const connected = link();
      if (connected === null) throw notLeader();
      return { messages: await connected.received(textOf(from), messages) };
    },
    ...stateCalls(states),
    status: () => statusOf(storage(), isServing(), parts.placesOf),
  };
}

/** What is known without asking the disk. */
export function placeOf(storage: GroupStorage | null): GroupPlace & Pick<GroupStatus, 'role'> {
  const known = storage?.member?.status;
  return {
    role: roleOf(known),
    term: known?.term ?? 0,
    lastIndex: known?.lastIndex ?? 0,
    committedIndex: known?.committed ?? 0,
    appliedIndex: storage?.appliedIndex ?? 0,
    behindMs: Math.round(storage?.member?.behindMs ?? 0),
  };
}

async function statusOf(
  storage: GroupStorage | null,
  isServing: boolean,
  placesOf: GroupServiceParts['placesOf'],
): Promise<GroupStatus> {
  const known = storage?.member?.status;
  const voters = (known?.members.voters ?? []).map(nameOf);
  const learners = (known?.members.learners ?? []).map(nameOf);
  return {
    ...placeOf(storage),
    id: storage?.self ?? null,
    isServing,
    leader: known?.leader == null ? null : nameOf(known.leader),
    lags: (storage?.member?.lags ?? []).map(({ id, ms }) => ({ name: nameOf(id), ms: Math.round(ms) })),
    sending: (storage?.sending ?? []).map(({ to, done, total }) => ({ name: nameOf(to), done, total })),
    ...{ voters, learners, servers: placesOf([...voters, ...learners]) },
    ...(await diskStatus(storage)),
  };
}

function roleOf(status: GroupMember['status'] | undefined): GroupRole {
  return status === undefined || status.members.voters.length === 0 ? 'blank' : status.role;
}
