// Raft's own calls over XML-RPC: RequestVote and AppendEntries, with parameters in the order of the paper's Figure 2.
import type { XmlRpcMethods, XmlRpcValue } from '../../protocol/http/xml-rpc.js';
import { CatalogError } from '../map/errors.js';
import type { AppendRequest, VoteRequest } from '../ordered/raft-calls.js';

export interface AnswersRaft {
  /** Throws when this server answers nothing, whatever it is asked. */
  mustAnswer(): void;
  requestVote(request: VoteRequest): Promise<{ term: number; voteGranted: boolean }>;
  appendEntries(request: AppendRequest): Promise<{ term: number; success: boolean }>;
}

export function raftMethods(raft: AnswersRaft): XmlRpcMethods {
  const methods: XmlRpcMethods = {
    /** (term, candidateId, lastLogIndex, lastLogTerm) → {term, voteGranted} */
    async RequestVote(term, candidate, lastLogIndex, lastLogTerm) {
      raft.mustAnswer();
      return raft.requestVote({
        term: numberOf('term', term),
        candidate: serverOf(candidate),
        lastLogIndex: numberOf('lastLogIndex', lastLogIndex),
        lastLogTerm: numberOf('lastLogTerm', lastLogTerm),
      });
    },

    /** (term, leaderId, prevLogIndex, prevLogTerm, entries, leaderCommit) → {term, success} */
    async AppendEntries(term, leader, previousLogIndex, previousLogTerm, entries, _leaderCommit) {
      raft.mustAnswer();
      if (!Array.isArray(entries)) throw new CatalogError('BAD_REQUEST', 'entries are a list');
      return raft.appendEntries({
        term: numberOf('term', term),
        leader: serverOf(leader),
        previousLogIndex: numberOf('prevLogIndex', previousLogIndex),
        previousLogTerm: numberOf('prevLogTerm', previousLogTerm),
        entries: entries.length,
      });
    },
  };
  const lowerCase = Object.entries(methods).map(([name, method]) => [name.toLowerCase(), method] as const);
  return { ...methods, ...Object.fromEntries(lowerCase) };
}

function numberOf(name: string, value: XmlRpcValue | undefined): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new CatalogError('BAD_REQUEST', `${name} is a whole number from 0 on`);
  }
  return value;
}

/** A name, or a number of SurfStore's configuration. */
function serverOf(value: XmlRpcValue | undefined): string {
  if (typeof value === 'number') return `metadata${value}`;
  if (typeof value === 'string') return value;
  throw new CatalogError('BAD_REQUEST', 'a server is given by its number or its name');
}
