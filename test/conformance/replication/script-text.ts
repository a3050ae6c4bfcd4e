// How scripts write entries, messages and members: 3@2 is the entry at index 3 of term 2.
import type { Content, CoreStatus, Entry, Envelope, Writes } from '../../../src/replication/core/core.js';
import type { MemberId, Members } from '../../../src/replication/core/members.js';
import type { RaftMessage } from '../../../src/replication/core/raft/messages.js';
import type { SimulatedMember, State } from './simulated-member.js';

/** A whole state on its way to a member. */
export interface StateMessage extends Envelope {
  readonly kind: 'state';
  readonly state: State;
}

export type ScriptMessage = RaftMessage | StateMessage;

export function messageText(message: ScriptMessage): string {
  return `${message.from}>${message.to} term ${message.term}: ${bodyText(message)}`;
}

function bodyText(message: ScriptMessage): string {
  switch (message.kind) {
    case 'askVote': {
      const what = message.isTrial ? 'asks for a trial vote' : 'asks for a vote';
      return `${what}${message.isTransfer ? ' to take over' : ''}, log ends with ${position(message.lastIndex, message.lastTerm)}`;
    }
    case 'vote':
      return `${message.isGranted ? 'grants' : 'refuses'} a ${message.isTrial ? 'trial vote' : 'vote'}`;
    case 'append': {
      const entries = message.entries.length === 0 ? 'nothing' : entriesText(message.entries);
      return `append ${entries} after ${position(message.previousIndex, message.previousTerm)}, committed ${message.committed}`;
    }
    case 'appended':
      if (message.isMatch) return `has up to ${message.index}`;
      return `does not match at ${message.index}, perhaps at ${position(message.hint.index, message.hint.term)}`;
    case 'heartbeat':
      return `heartbeat ${message.round}, committed ${message.committed}`;
    case 'heard':
      return `heard ${message.round}`;
    case 'takeOver':
      return 'take over';
    case 'snapshot':
      return `snapshot ${position(message.mark.index, message.mark.term)}`;
    case 'state':
      return `state as of ${position(message.state.mark.index, message.state.mark.term)}`;
  }
}

export function writesText({ install, hardState, entries }: Writes<Envelope>): string {
  const parts: string[] = [];
  if (install !== null) parts.push(`state as of ${position(install.index, install.term)}`);
  if (hardState !== null) parts.push(`term ${hardState.term}, ${voteText(hardState.vote)}`);
  if (entries.length > 0) parts.push(entriesText(entries));
  return parts.join('; ');
}

/** What a member is. */
export function roleText({ role, term, leader, isServing }: CoreStatus): string {
  if (role === 'leader') return `leader of term ${term}${isServing ? ', serves' : ''}`;
  if (role === 'candidate') return `candidate in term ${term}`;
  return `${role} of ${leader ?? 'nobody'} in term ${term}`;
}

/** All of a member in one line. */
export function statusText(member: SimulatedMember): string {
  const status = member.core?.status;
  if (status === undefined) return `${member.id}: down`;
  const { index, term } = member.base.mark;
  const entries: Entry[] = [];
  for (let at = index + 1; at <= status.lastIndex; at++) {
    const entry = member.core?.unstored(at) ?? member.entryAt(at);
    if (entry !== undefined) entries.push(entry);
  }
  const log = [...(index === 0 ? [] : [`(${position(index, term)})`]), ...entries.map(entryText)].join(' ');
  const damage = member.damagedUpTo === 0 ? '' : `, damaged up to ${member.damagedUpTo}`;
  return `${member.id}: ${roleText(status)}; log ${log === '' ? 'empty' : log}; committed ${status.committed}${damage}`;
}

function entriesText(entries: readonly Entry[]): string {
  return entries.map(entryText).join(' ');
}

function entryText({ index, term, content }: Entry): string {
  return `${position(index, term)}${contentText(content)}`;
}

function contentText(content: Content): string {
  if (content.kind === 'nothing') return '';
  if (content.kind === 'data') return `=${String(content.data)}`;
  return `=${membersText(content.members)}`;
}

function membersText({ voters, learners }: Members): string {
  return `[${voters.join(' ')}${learners.length === 0 ? '' : ` + ${learners.join(' ')}`}]`;
}

function position(index: number, term: number): string {
  return `${index}@${term}`;
}

function voteText(vote: MemberId | null): string {
  return vote === null ? 'no vote' : `vote for ${vote}`;
}
