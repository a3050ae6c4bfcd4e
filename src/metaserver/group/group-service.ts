// GroupService of a metaserver.
import { malformed } from '../../protocol/errors.js';
import type { GroupRole, GroupService, GroupStatus, ServerPlace } from '../../protocol/services/group.js';
import type { GroupLink } from '../../replication/link/group-link.js';
import type { IncomingStates } from '../../replication/link/incoming-states.js';
import type { Peers } from '../../replication/link/peers.js';
import { readMark } from '../../replication/link/read-message.js';
import type { GroupMember } from '../../replication/member/group-member.js';
import { asError, messageOf } from '../../runtime/caught-errors.js';
import { diskTrouble } from '../../runtime/disk-trouble.js';
import type { GroupPlace } from '../metrics.js';
import type { GroupStorage } from '../storage/group-storage.js';
import { nameOf } from '../storage/progress.js';
import type { Membership } from './membership.js';
import { readGreeting, textOf } from './read-greeting.js';

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
    async beginState({ from, term, mark }) {
      if (typeof from !== 'string' || !Number.isSafeInteger(term)) throw malformed('from or term');
      return { state: states.begin(from, term, readMark(mark)) };
    },
    async stateChunk({ state, bytes }) {
      if (!(bytes instanceof Uint8Array)) throw malformed('bytes are no bytes');
      await states.chunk(state, bytes);
      return {};
    },
    async endState({ state }) {
      await states.end(state);
      return {};
    },
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
  const room = await storage?.room().catch(asError);
  const failure = storage?.failure ?? (room instanceof Error ? room : null);
  return {
    ...placeOf(storage),
    id: storage?.self ?? null,
    isServing,
    leader: known?.leader == null ? null : nameOf(known.leader),
    ...{ voters, learners, servers: placesOf([...voters, ...learners]) },
    trouble: failure === null ? null : diskTrouble(failure),
    reason: failure === null ? '' : messageOf(failure),
    freeBytes: room === undefined || room instanceof Error ? 0 : Math.max(0, room.leftBytes),
    totalBytes: room === undefined || room instanceof Error ? 0 : room.totalBytes,
  };
}

function roleOf(status: GroupMember['status'] | undefined): GroupRole {
  return status === undefined || status.members.voters.length === 0 ? 'blank' : status.role;
}
