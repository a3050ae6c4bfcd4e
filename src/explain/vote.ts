// What a vote on one block came to, in two sentences: the verdict and why; who did not agree and what follows from it.
import { capitalized, durationText, inWords, listed } from './words.js';

/** As in the protocol, or as the text that JSON makes of it: only equality counts. */
type HashLike = bigint | string;

/** A ballot of the protocol, or `pending`: the replica was asked and has not answered yet. */
export type SeenBallot =
  | { state: 'present'; hash: HashLike }
  | { state: 'absent' | 'damaged' | 'unreachable' | 'pending' };

export type BallotKind = 'agrees' | 'dissents' | 'absent' | 'damaged' | 'unreachable' | 'pending';

export interface SeenVote {
  /** null when there is none yet (the result of a patch): the largest group wins, and a tie wins nothing. */
  witness: HashLike | null;
  ballots: readonly { server: string; ballot: SeenBallot }[];
}

/** A replica of the vote that got the right bytes: so long after the vote; null while that is under way. */
export interface SeenRepair {
  server: string;
  afterMs: number | null;
}

/** What each kind of ballot is called beside its colour. */
export const BALLOT_WORDS: Readonly<Record<BallotKind, string>> = {
  agrees: 'agrees',
  dissents: 'dissents',
  absent: 'absent',
  damaged: 'damaged',
  unreachable: 'unreachable',
  pending: 'still to come',
};

/** @param winner the hash that counts; null when none does: then all that have bytes dissent */
export function ballotKind(ballot: SeenBallot, winner: HashLike | null): BallotKind {
  if (ballot.state !== 'present') return ballot.state;
  return ballot.hash === winner ? 'agrees' : 'dissents';
}

/** One ballot in a sentence, for whoever points at its cell. */
export function explainBallot(server: string, kind: BallotKind): string {
  switch (kind) {
    case 'agrees':
      return `${server} agrees: the hash of what it has stored is the witness's.`;
    case 'dissents':
      return `${server} dissents: it holds other bytes than the witness says.`;
    case 'absent':
      return `${server} does not have this version of the block.`;
    case 'damaged':
      return `${server} has the block and cannot read it, or sent other bytes than it voted for.`;
    case 'unreachable':
      return `${server} does not answer, so it has no vote.`;
    case 'pending':
      return `${server} was asked and has not answered yet.`;
  }
}

/**
 * Two sentences, the verdict first.
 * @param readQuorum how many must agree (Qr)
 * @param repairs what has been repaired since, or is being repaired
 */
export function explainVote(vote: SeenVote, readQuorum: number, repairs: readonly SeenRepair[] = []): string {
  if (vote.ballots.length === 0) return NOBODY;
  const seen = count(vote);
  return `${verdictSentence(vote, seen, readQuorum)} ${othersSentence(seen, readQuorum, repairs)}`;
}

const NOBODY =
  'No replica could be asked, so the read is refused (EIO). It can be read again when enough data servers are back.';

interface Count {
  servers: number;
  /** The hash that counts: the witness, or what most say where there is none. */
  winner: HashLike | null;
  /** Whether another hash has as many ballots, and there is no witness to decide. */
  isTied: boolean;
  /** Servers by kind of ballot. */
  of: Record<BallotKind, string[]>;
  /** The largest group of servers that agree with each other and not with the winner. */
  rivals: string[];
  /** How many different hashes the dissenters have. */
  otherHashes: number;
}

function count({ witness, ballots }: SeenVote): Count {
  const byHash = new Map<HashLike, string[]>();
  for (const { server, ballot } of ballots) {
    if (ballot.state === 'present') byHash.set(ballot.hash, [...(byHash.get(ballot.hash) ?? []), server]);
  }
  const groups = [...byHash].sort(([, one], [, other]) => other.length - one.length);
  const isTied = witness === null && groups.length > 1 && groups[0]?.[1].length === groups[1]?.[1].length;
  const winner = witness ?? (isTied ? null : (groups[0]?.[0] ?? null));
  const of: Count['of'] = { agrees: [], dissents: [], absent: [], damaged: [], unreachable: [], pending: [] };
  for (const { server, ballot } of ballots) of[ballotKind(ballot, winner)].push(server);
  const others = groups.filter(([hash]) => hash !== winner);
  const rivals = others[0]?.[1] ?? [];
  return { servers: ballots.length, winner, isTied, of, rivals, otherHashes: others.length };
}

function verdictSentence({ witness }: SeenVote, { servers, isTied, of, rivals }: Count, readQuorum: number): string {
  const agreeing = of.agrees.length;
  const waiting = of.pending.length;
  const isEnough = agreeing >= readQuorum && (witness !== null || agreeing > rivals.length + waiting);
  const some = agreeing === servers ? `all ${inWords(servers)}` : `${inWords(agreeing)} of ${inWords(servers)}`;
  if (isEnough && witness !== null)
    return `${capitalized(answered(agreeing, servers, some))}, so the read is answered.`;
  if (isEnough) return `${capitalized(some)} agree, so what they hold counts; there is no witness yet.`;
  if (waiting > 0 && (witness === null || agreeing + waiting >= readQuorum)) {
    const fits = witness === null ? 'agree' : agreeing === 1 ? 'matches the witness' : 'match the witness';
    const missing = Math.max(1, readQuorum - agreeing);
    return `${capitalized(some)} ${fits} so far, so the vote goes on: ${inWords(missing)} more must.`;
  }
  const refusal = 'the read is refused (EIO), since a guess could be wrong';
  if (isTied) {
    return `It is a tie, ${inWords(rivals.length)} against ${inWords(rivals.length)}, and there is no witness that breaks it, so ${refusal}.`;
  }
  const needed = `${inWords(readQuorum)} must`;
  if (rivals.length >= readQuorum && witness !== null) {
    const fit =
      agreeing === 0
        ? 'nobody matches it'
        : `only ${inWords(agreeing)} of ${inWords(servers)} ${agreeing === 1 ? 'matches' : 'match'} it`;
    return `${capitalized(inWords(rivals.length))} agree with each other, but the witness contradicts them, and ${fit} where ${needed}, so ${refusal}.`;
  }
  const match = witness === null ? 'agree' : agreeing === 1 ? 'matches the witness' : 'match the witness';
  const only = agreeing === 0 ? some : `only ${some}`;
  return `${capitalized(only)} ${agreeing === 0 && witness !== null ? 'matches the witness' : match} and ${needed} (Qr), so ${refusal}.`;
}

function answered(agreeing: number, servers: number, some: string): string {
  if (servers === 1) return 'the only replica matches the witness';
  return agreeing === 1 ? `${some} matches the witness, which is enough` : `${some} agree and match the witness`;
}

function othersSentence(seen: Count, readQuorum: number, repairs: readonly SeenRepair[]): string {
  const { of } = seen;
  const parts = [
    dissentText(seen),
    holds(of.absent, 'does not have this version', 'do not have this version'),
    holds(of.damaged, 'cannot read its copy', 'cannot read their copies'),
    holds(of.unreachable, 'does not answer and has no vote', 'do not answer and have no vote'),
    holds(of.pending, 'has still to answer', 'have still to answer'),
  ].filter((part) => part !== '');
  if (parts.length === 0) return 'Nothing is to be repaired.';
  const then = consequence(seen, readQuorum, repairs);
  return `${parts.join('; ')}${then === '' ? '' : `; ${then}`}.`;
}

function dissentText({ of, isTied, otherHashes }: Count): string {
  const { dissents } = of;
  if (isTied) return `${listed(dissents)} hold ${inWords(otherHashes)} different contents`;
  if (dissents.length < 2) return holds(dissents, 'holds other bytes', '');
  if (otherHashes === 1) return `${listed(dissents)} hold other bytes, all the same`;
  return `${listed(dissents)} hold other bytes${otherHashes === dissents.length ? ', each its own' : ''}`;
}

function holds(servers: readonly string[], one: string, several: string): string {
  return servers.length === 0 ? '' : `${listed(servers)} ${servers.length === 1 ? one : several}`;
}

/** What becomes of those that did not agree. */
function consequence(
  { of, servers, winner, isTied }: Count,
  readQuorum: number,
  repairs: readonly SeenRepair[],
): string {
  const toRepair = [...of.dissents, ...of.absent, ...of.damaged];
  if (of.pending.length > 0) return '';
  if (of.agrees.length < readQuorum || winner === null || isTied) {
    const back = of.unreachable.length > 0 && of.agrees.length + of.unreachable.length >= readQuorum;
    const heal = servers === 1 ? 'writing the block whole heals it' : 'writing the whole block heals it';
    return back ? `it can be read again when enough of them are back, and ${heal}` : heal;
  }
  if (toRepair.length === 0) return '';
  const done = repairs.filter(({ server, afterMs }) => afterMs !== null && toRepair.includes(server));
  const latestMs = Math.max(...done.map(({ afterMs }) => afterMs ?? 0));
  if (done.length === toRepair.length) {
    if (of.dissents.length === 1 && toRepair.length === 1) return `they were repaired ${durationText(latestMs)} later`;
    const all =
      toRepair.length === 1 ? 'it was' : toRepair.length === 2 ? 'both were' : `all ${inWords(toRepair.length)} were`;
    return `${all} repaired ${toRepair.length === 1 ? `${durationText(latestMs)} later` : `within ${durationText(latestMs)}`}`;
  }
  const name = toRepair.length === 1 ? 'it' : 'them';
  if (done.length > 0)
    return `${listed(done.map(({ server }) => server))} ${done.length === 1 ? 'is' : 'are'} repaired already`;
  if (repairs.some(({ server }) => toRepair.includes(server))) return `the mediator is repairing ${name}`;
  return `a read or a scrub repairs ${name}`;
}
