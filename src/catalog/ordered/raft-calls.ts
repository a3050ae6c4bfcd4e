// AppendEntries and RequestVote as the Raft paper has them (Figure 2), for whoever asks by hand. Servers ask each other over their
// own connections, with more in one message.

import { type MemberId, nameOf } from '../../replication/core/members.js';
import type { Vote } from '../../replication/core/raft/messages.js';
import { CatalogError } from '../map/errors.js';
import type { Participation } from './participation.js';

/** No group has so many elections between two requests. Terms are whole numbers, and must stay countable. */
const MOST_TERMS_AHEAD = 4096;

export interface VoteRequest {
  readonly term: number;
  /** The name of a server. */
  readonly candidate: string;
  readonly lastLogIndex: number;
  readonly lastLogTerm: number;
}

export interface AppendRequest {
  readonly term: number;
  readonly leader: string;
  readonly previousLogIndex: number;
  readonly previousLogTerm: number;
  /** How many it has. */
  readonly entries: number;
}

export class RaftCalls {
  readonly #participation: () => Participation;

  /** @param participation throws CatalogError while this server takes no part */
  constructor(participation: () => Participation) {
    this.#participation = participation;
  }

  /** Throws CatalogError while this server takes no part, or is crashed. */
  mustAnswer(): void {
    this.#participation();
  }

  /** The vote counts for nobody but the asker: only the candidate itself hears of votes that it asks for over its connection. */
  async requestVote(request: VoteRequest): Promise<{ term: number; voteGranted: boolean }> {
    const part = this.#participation();
    const { term, candidate, lastLogIndex: lastIndex, lastLogTerm: lastTerm } = request;
    const from = memberOf(part, candidate);
    mustBeNear(part, term);
    const message = {
      kind: 'askVote',
      from,
      to: part.self,
      term,
      isTrial: false,
      isTransfer: false,
      lastIndex,
      lastTerm,
    };
    const answers = await part.link.received(from, [message]);
    const vote = answers.find(({ kind }) => kind === 'vote') as Vote | undefined;
    return { term: part.member.status.term, voteGranted: vote?.isGranted === true && vote.term === term };
  }

  /** A heartbeat of the leader, and whether the log has that previous entry. Throws for one with entries. */
  async appendEntries(request: AppendRequest): Promise<{ term: number; success: boolean }> {
    const part = this.#participation();
    const { term, leader, previousLogIndex, previousLogTerm, entries } = request;
    if (entries > 0) {
      throw new CatalogError('BAD_REQUEST', 'entries travel over the connections of servers only');
    }
    const from = memberOf(part, leader);
    mustBeNear(part, term);
    const { term: own, leader: known } = part.member.status;
    if (term < own || (term === own && known !== null && known !== from)) return { term: own, success: false };
    await part.link.received(from, [{ kind: 'heartbeat', from, to: part.self, term, committed: 0, round: 0 }]);
    const success = await part.hasEntry(previousLogIndex, previousLogTerm);
    return { term: part.member.status.term, success };
  }
}

function mustBeNear(part: Participation, term: number): void {
  const { term: own } = part.member.status;
  if (term <= own + MOST_TERMS_AHEAD) return;
  throw new CatalogError(
    'BAD_REQUEST',
    `term ${term} is more than ${MOST_TERMS_AHEAD} above this server's, which is ${own}`,
  );
}

function memberOf(part: Participation, name: string): MemberId {
  const { voters } = part.member.status.members;
  const member = voters.find((voter) => voter === name || nameOf(voter) === name);
  if (member === undefined) throw new CatalogError('BAD_REQUEST', `${name} is no server of this group`);
  if (member === part.self) throw new CatalogError('BAD_REQUEST', `${name} is this server itself`);
  return member;
}
