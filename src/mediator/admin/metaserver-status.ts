// What `status` says about metaservers: each is asked by itself what it is in its
// group, so that one that hangs hides no other.
import { ServiceError } from '../../protocol/errors.js';
import type { MetaserverStatus } from '../../protocol/services/admin.js';
import type { GroupService, GroupStatus } from '../../protocol/services/group.js';
import type { Queries } from '../../protocol/services/metadata.js';
import { asError } from '../../runtime/caught-errors.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { MetaserverPart } from '../metadata/metaservers.js';

/** A metaserver answers at once, or hangs. */
const ANSWER_MS = 300;

export type MetaserverHealth = Queries['health']['result'];

interface Place {
  name: string;
  address: string;
}

/** What each says, in their order, or why it does not. */
export function askGroup(metaservers: readonly MetaserverPart[]): Promise<(GroupStatus | Error)[]> {
  return Promise.all(
    metaservers.map(async ({ remote }) => {
      try {
        return await remote.service<GroupService>('group').status({}, { deadlineMs: ANSWER_MS });
      } catch (error) {
        rethrowProgramFault(error);
        return asError(error);
      }
    }),
  );
}

/** @param health what the one that leads says about itself */
export function metaserverStatuses(
  places: readonly Place[],
  answers: readonly (GroupStatus | Error)[],
  health: MetaserverHealth | Error,
): MetaserverStatus[] {
  const voters = votersIn(answers);
  const isLone = places.length === 1;
  return places.map((place, index) => {
    const answer = answers[index] ?? new Error('it was not asked');
    const status = statusOf(place, answer, voters);
    // A lone one that answers as a metaserver needs no group, which an earlier version does not know.
    return isLone ? loneStatus(place, status, health) : status;
  });
}

/** As the one in the latest term says. */
function votersIn(answers: readonly (GroupStatus | Error)[]): ReadonlySet<string> {
  let latest: GroupStatus | null = null;
  for (const answer of answers) {
    if (answer instanceof Error) continue;
    const isLater = latest === null || answer.term > latest.term || (answer.term === latest.term && answer.isServing);
    if (isLater) latest = answer;
  }
  return new Set(latest?.voters);
}

function statusOf(
  { name, address }: Place,
  answer: GroupStatus | Error,
  voters: ReadonlySet<string>,
): MetaserverStatus {
  const isVoter = voters.has(name);
  if (answer instanceof Error) {
    const isOlder = answer instanceof ServiceError && answer.code === 'UNKNOWN_METHOD';
    const reason = isOlder ? 'it is of a version that knows no groups' : answer.message;
    return { ...ABSENT, name, address, isVoter, reason };
  }
  const { role, isServing, term, lastIndex, committedIndex, appliedIndex } = answer;
  const { trouble, reason, freeBytes, totalBytes } = answer;
  const place = { term, lastIndex, committedIndex, appliedIndex };
  return { name, address, state: 'up', role, isServing, isVoter, ...place, trouble, reason, freeBytes, totalBytes };
}

const ABSENT = {
  state: 'down',
  role: 'crashed',
  isServing: false,
  term: 0,
  lastIndex: 0,
  committedIndex: 0,
  appliedIndex: 0,
  trouble: null,
  freeBytes: 0,
  totalBytes: 0,
} as const;

function loneStatus(
  { name, address }: Place,
  status: MetaserverStatus,
  health: MetaserverHealth | Error,
): MetaserverStatus {
  if (health instanceof Error) return { ...ABSENT, name, address, isVoter: true, reason: health.message };
  const { trouble, reason, freeBytes, totalBytes } = health;
  const known = { trouble, reason, freeBytes, totalBytes };
  return { ...status, state: 'up', role: 'leader', isServing: true, isVoter: true, ...known };
}
