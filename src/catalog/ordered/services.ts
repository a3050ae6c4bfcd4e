// What servers of one group ask each other, on the port that they have anyway.
import { ServiceError } from '../../protocol/errors.js';
import type { GroupService, GroupStatus, ServerPlace } from '../../protocol/services/group.js';
import { nameOf } from '../../replication/core/members.js';
import type { IncomingStates } from '../../replication/link/incoming-states.js';
import type { Peers } from '../../replication/link/peers.js';
import { readGreeting, textOf } from '../../replication/link/read-greeting.js';
import { stateCalls } from '../../replication/link/state-calls.js';
import { mustBelong } from '../peers/belonging.js';
import { asService } from '../peers/service-errors.js';
import type { Founding, FoundingService, Registration } from './founding.js';
import type { Participation } from './participation.js';

export interface ServiceParts {
  /** What this server belongs to, by groupText. */
  cluster: string;
  peers: Peers;
  states: IncomingStates;
  founding: Founding;
  participation: () => Participation | null;
  appliedIndex: () => number;
  isCrashed: () => boolean;
  places: () => ServerPlace[];
  /** Keeps where a server is. Rejects with NOT_LEADER. */
  add: (server: ServerPlace) => Promise<void>;
  remove: (name: string) => Promise<void>;
}

export function groupService(parts: ServiceParts): GroupService {
  const { peers, states, participation } = parts;
  const part = () => {
    if (parts.isCrashed()) throw new ServiceError('REFUSED', 'this server is crashed');
    const now = participation();
    if (now === null) throw new ServiceError('NOT_LEADER', 'this server takes no part yet');
    return now;
  };
  return {
    async hello(request) {
      return peers.heard(readGreeting(request));
    },
    async join({ id }) {
      await part().membership.join(textOf(id));
      return {};
    },
    async add({ name, address, cluster }) {
      part();
      mustBelong(parts.cluster, cluster, textOf(name));
      await asService(parts.add({ name: textOf(name), address: textOf(address) }));
      return {};
    },
    async remove({ name }) {
      part();
      await asService(parts.remove(textOf(name)));
      return {};
    },
    async transfer({ name }) {
      await part().membership.transfer(textOf(name));
      return {};
    },
    async send({ from, messages }) {
      return { messages: await part().link.received(textOf(from), messages) };
    },
    ...stateCalls(states),
    async status() {
      return statusOf(parts);
    },
  };
}

/** @param dismiss called when this server was taken out of its group */
export function foundingService(founding: Founding, dismiss: () => Promise<void>): FoundingService {
  return {
    async dismiss() {
      await dismiss();
      return {};
    },
    async register(request) {
      const { name, incarnation, cluster, founders } = request as Partial<Registration>;
      const names = Array.isArray(founders) ? founders.map(textOf) : [];
      const disk = { name: textOf(name), incarnation: textOf(incarnation), cluster: textOf(cluster) };
      return {
        answer: await founding.register({ ...disk, founders: names }),
      };
    },
  };
}

function statusOf({ participation, appliedIndex, isCrashed, places }: ServiceParts): GroupStatus {
  const part = participation();
  const known = part?.member.status;
  return {
    id: part?.self ?? null,
    role: known === undefined || known.members.voters.length === 0 ? 'blank' : known.role,
    isServing: part?.member.isServing ?? false,
    leader: known?.leader == null ? null : nameOf(known.leader),
    term: known?.term ?? 0,
    lastIndex: known?.lastIndex ?? 0,
    committedIndex: known?.committed ?? 0,
    appliedIndex: appliedIndex(),
    behindMs: Math.round(part?.member.behindMs ?? 0),
    lags: (part?.member.lags ?? []).map(({ id, ms }) => ({ name: nameOf(id), ms: Math.round(ms) })),
    sending: [],
    servers: places(),
    voters: (known?.members.voters ?? []).map(nameOf),
    learners: (known?.members.learners ?? []).map(nameOf),
    trouble: null,
    reason: isCrashed() ? 'crashed' : '',
    freeBytes: 0,
    totalBytes: 0,
  };
}
