// Checks what another member has sent before a core gets it: a message that is not of the right shape closes nothing but itself.
import { malformed } from '../../protocol/errors.js';
import type { Content, Entry, Mark } from '../core/core.js';
import type { Members } from '../core/members.js';
import type { Message } from '../member/transport.js';

type Check = (value: unknown) => boolean;
type Fields = Record<string, Check>;

const isNumber: Check = (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const isText: Check = (value) => typeof value === 'string' && value.length <= 200;
const isYesOrNo: Check = (value) => typeof value === 'boolean';
const isNames: Check = (value) => Array.isArray(value) && value.every(isText);
const isMembers: Check = (value) => fits(value, { voters: isNames, learners: isNames });
const isMark: Check = (value) => fits(value, { index: isNumber, term: isNumber, members: isMembers });
const isPlace: Check = (value) => fits(value, { index: isNumber, term: isNumber });
const isRoll: Check = (value) => fits(value, { index: isNumber, term: isNumber, voters: isNames });
const isContent: Check = (value) => {
  const { kind } = value as Content;
  if (kind === 'nothing') return true;
  if (kind === 'members') return isMembers((value as { members: unknown }).members);
  return kind === 'data' && fits(value, { data: (data) => data instanceof Uint8Array, bytes: isNumber });
};
const isEntry: Check = (value) => fits(value, { index: isNumber, term: isNumber, content: isObjectWith(isContent) });
const isEntries: Check = (value) =>
  Array.isArray(value) &&
  value.every(isEntry) &&
  value.every(({ index }: Entry, at) => at === 0 || index === (value[at - 1] as Entry).index + 1);

const ENVELOPE: Fields = { kind: isText, from: isText, to: isText, term: isNumber };
/** Of each kind of message, besides the envelope. */
const KINDS: Record<string, Fields> = {
  append: { previousIndex: isNumber, previousTerm: isNumber, committed: isNumber, entries: isEntries },
  appended: { isMatch: isYesOrNo, index: isNumber, hint: isPlace },
  heartbeat: { committed: isNumber, round: isNumber },
  heard: { round: isNumber },
  askVote: { isTrial: isYesOrNo, isTransfer: isYesOrNo, lastIndex: isNumber, lastTerm: isNumber },
  vote: { isTrial: isYesOrNo, isGranted: isYesOrNo },
  takeOver: {},
  probe: {},
  silence: {},
  startViewChange: { primary: isText, released: isNumber },
  doViewChange: { lastIndex: isNumber, lastTerm: isNumber, committed: isNumber, released: isNumber },
  fetch: { index: isNumber, indexTerm: isNumber },
  helo: {
    ...{ roll: isRoll, isPrimary: isYesOrNo, isReturning: isYesOrNo, isWhole: isYesOrNo },
    ...{ start: isNumber, heardStart: isNumber },
  },
  needState: {},
  fetched: { previousIndex: isNumber, previousTerm: isNumber, entries: isEntries },
};

/** Throws MALFORMED. */
export function readMessage(value: unknown): Message {
  if (!fits(value, ENVELOPE)) throw malformed('a message without an envelope');
  const message = value as Message;
  const fields = Object.hasOwn(KINDS, message.kind) ? KINDS[message.kind] : undefined;
  if (fields === undefined || !fits(value, fields)) throw malformed(`a message of the kind ${message.kind}`);
  const { entries } = message;
  const { previousIndex } = value as { previousIndex?: number };
  if (entries?.[0] !== undefined && entries[0].index !== (previousIndex ?? 0) + 1) {
    throw malformed('entries that do not follow what they name');
  }
  return message;
}

/** Throws MALFORMED. */
export function readMark(value: unknown): Mark {
  if (!isMark(value)) throw malformed('a mark of a state');
  const { index, term, members } = value as Mark;
  const { voters, learners }: Members = members;
  return { index, term, members: { voters, learners } };
}

function isObjectWith(check: Check): Check {
  return (value) => typeof value === 'object' && value !== null && check(value);
}

function fits(value: unknown, fields: Fields): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(fields).every(([name, check]) => check((value as Record<string, unknown>)[name]));
}
