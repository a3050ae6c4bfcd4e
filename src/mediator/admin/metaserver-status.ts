// What `status` says about metaservers: each is asked by itself what it is in its
// group, so that one that hangs hides no other.
import { ServiceError } from '../../protocol/errors.js';
import type { MetaserverStatus } from '../../protocol/services/admin.js';
import type { GroupService, GroupStatus } from '../../protocol/services/group.js';
import { askStatuses } from '../../protocol/services/group-statuses.js';
import type { Queries } from '../../protocol/services/metadata.js';
import { firstAttempt } from '../../protocol/wire/first-attempt.js';
import type { Clock } from '../../runtime/clock.js';
import type { MetaserverPart } from '../metadata/metaservers.js';

/** A metaserver answers at once, or hangs. */
const ANSWER_MS = 300;

export type MetaserverHealth = Queries['health']['result'];

/** What the server that calls go to says about its disk. */
export interface LedHealth {
  /** Its name; null when none leads. */
  leader: string | null;
  health: MetaserverHealth | Error;
}

interface Place {
  name: string;
  address: string;
}

type Answer = GroupStatus | Error;

/** What each says, in their order, or why it does not. */
export function askGroup(metaservers: readonly MetaserverPart[]): Promise<Answer[]> {
  return askStatuses(
    metaservers.map(({ remote }) => remote.service<GroupService>('group')),
    ANSWER_MS,
  );
}

/** Of those that were heard of just now, whose connections are being made. */
export async function askNewcomers(newcomers: readonly MetaserverPart[], clock: Clock): Promise<Answer[]> {
  await Promise.all(newcomers.map(({ remote }) => firstAttempt(remote, clock, ANSWER_MS)));
  return askGroup(newcomers);
}

/** @param led absent when only the group is asked about */
export function metaserverStatuses(
  places: readonly Place[],
  answers: readonly Answer[],
  led?: LedHealth,
): MetaserverStatus[] {
  const latest = latestOf(answers);
  const statuses = places.map((place, index) =>
    statusOf(place, answers[index] ?? new Error('it was not asked'), latest),
  );
  const [lone, ...more] = statuses;
  if (led === undefined || lone === undefined) return statuses;
  if (more.length === 0) return [loneStatus(lone, led.health)];
  const { leader, health } = led;
  return health instanceof Error
    ? statuses
    : statuses.map((status) => (status.name === leader ? ledStatus(status, health, latest, statuses) : status));
}

/** Of the latest term; of several in one term, that of the server that serves. */
function latestOf(answers: readonly Answer[]): GroupStatus | null {
  let latest: GroupStatus | null = null;
  for (const answer of answers) {
    if (answer instanceof Error) continue;
    const isLater = latest === null || answer.term > latest.term || (answer.term === latest.term && answer.isServing);
    if (isLater) latest = answer;
  }
  return latest;
}

function statusOf({ name, address }: Place, answer: Answer, latest: GroupStatus | null): MetaserverStatus {
  const isVoter = latest?.voters.includes(name) === true;
  if (answer instanceof Error) {
    const isOlder = answer instanceof ServiceError && answer.code === 'UNKNOWN_METHOD';
    const reason = isOlder ? 'it is of a version that knows no groups' : answer.message;
    return { ...ABSENT, name, address, isVoter, reason };
  }
  const { role, isServing, term, lastIndex, committedIndex, appliedIndex } = answer;
  const { trouble, freeBytes, totalBytes } = answer;
  const reason = answer.reason === '' && wasRemoved(name, answer, latest) ? REMOVED : answer.reason;
  const behindMs = latest?.lags.find((each) => each.name === name)?.ms ?? 0;
  const entries = Math.max(0, (latest?.committedIndex ?? 0) - appliedIndex);
  const lag = { entries, ms: Math.max(behindMs, answer.behindMs) };
  const place = { term, lastIndex, committedIndex, appliedIndex, lag };
  const sent = latest?.sending.find((each) => each.name === name);
  const snapshot = sent === undefined ? {} : { snapshot: { done: sent.done, total: sent.total } };
  const disk = { trouble, reason, freeBytes, totalBytes };
  return { name, address, state: 'up', role, isServing, isVoter, ...place, ...snapshot, ...disk };
}

const REMOVED = 'it was removed from the group, which takes it in again only with an empty folder';

/** Its folder is that of a member that was taken out. One that was away then does not know it: who serves does. */
function wasRemoved(name: string, answer: GroupStatus, latest: GroupStatus | null): boolean {
  if (answer.role === 'blank') return false;
  const knows = answer.role === 'learner' || latest?.isServing !== true ? answer : latest;
  return knows.voters.length > 0 && !knows.voters.includes(name) && !knows.learners.includes(name);
}

const ABSENT = {
  state: 'down',
  role: 'crashed',
  isServing: false,
  term: 0,
  lastIndex: 0,
  committedIndex: 0,
  appliedIndex: 0,
  lag: null,
  trouble: null,
  freeBytes: 0,
  totalBytes: 0,
} as const;

const NO_LAG = { entries: 0, ms: 0 };

/** One that answers as a metaserver needs no group, which an earlier version does not know. */
function loneStatus(status: MetaserverStatus, health: MetaserverHealth | Error): MetaserverStatus {
  const { name, address } = status;
  // It is there, and says why it does not lead.
  if (health instanceof Error && status.state === 'up' && status.reason !== '' && !status.isServing) return status;
  if (health instanceof Error) return { ...ABSENT, name, address, isVoter: true, reason: health.message };
  return { ...status, state: 'up', role: 'leader', isServing: true, isVoter: true, lag: NO_LAG, ...diskOf(health) };
}

/** One that calls go to and that answers them is there, even if it was too busy to say in time what it is. */
function ledStatus(
  status: MetaserverStatus,
  health: MetaserverHealth,
  latest: GroupStatus | null,
  all: readonly MetaserverStatus[],
): MetaserverStatus {
  if (status.state === 'up') return status.isServing ? { ...status, ...diskOf(health) } : status;
  if (all.some(({ isServing }) => isServing)) return status;
  // It has at least what another one knows to be committed.
  const index = Math.max(...all.map(({ committedIndex }) => committedIndex));
  const place = { term: latest?.term ?? 0, lastIndex: index, committedIndex: index, appliedIndex: index, lag: NO_LAG };
  return { ...status, state: 'up', role: 'leader', isServing: true, ...place, ...diskOf(health) };
}

function diskOf({ trouble, reason, freeBytes, totalBytes }: MetaserverHealth) {
  return { trouble, reason, freeBytes, totalBytes };
}
