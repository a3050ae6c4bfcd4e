// What each event of a recording says, in a sentence, and the kinds of events that one can go to.
import { explainEvent } from '../explain/events.js';
import { explainVote } from '../explain/vote.js';
import type { RecordedEvent, VoteEvent } from './format.js';

/** The name of a kind that a reader can go to, and which events it has. */
export const JUMPS = {
  mark: ['Mark', (event) => event.kind === 'note' && event.level === 'mark'],
  crash: ['Crash or restart', (event) => event.kind === 'state'],
  partition: ['Partition', (event) => event.kind === 'link'],
  election: ['Election', (event) => event.kind === 'election'],
  leader: ['Change of leader', (event) => event.kind === 'role'],
  term: ['New term', (event) => event.kind === 'term'],
  vote: ['Vote', (event) => event.kind === 'vote'],
  dissent: ['Vote with dissent', (event) => event.kind === 'vote' && hasDissent(event)],
  refused: ['Vote without a quorum', (event) => event.kind === 'vote' && !isAgreed(event)],
  lost: ['Lost message', (event) => event.kind === 'message' && event.arrived === null],
  warning: ['Warning', (event) => event.kind === 'note' && (event.level === 'warn' || event.level === 'error')],
  message: ['Message', (event) => event.kind === 'message'],
} as const satisfies Record<string, readonly [string, (event: RecordedEvent) => boolean]>;

export type Jump = keyof typeof JUMPS;

export function agreeing({ witness, ballots }: VoteEvent): number {
  return ballots.filter(({ ballot }) => ballot.state === 'present' && ballot.hash === witness).length;
}

export function isAgreed(vote: VoteEvent): boolean {
  return agreeing(vote) >= vote.readQuorum;
}

export function hasDissent({ witness, ballots }: VoteEvent): boolean {
  return ballots.some(({ ballot: { state, ...rest } }) =>
    state === 'present' ? (rest as { hash?: string }).hash !== witness : state === 'damaged' || state === 'absent',
  );
}

/** Whether a process is lost or stops by it. */
export function isLoss(event: RecordedEvent): boolean {
  return event.kind === 'state' && /crashes|power|ends|stops/.test(event.state);
}

/** In a few words, for a list. */
export function headline(event: RecordedEvent): string {
  switch (event.kind) {
    case 'message': {
      const what =
        event.isReply === true
          ? event.isFailure === true
            ? `refusal of ${event.name}`
            : `answer to ${event.name}`
          : event.name;
      return `${event.from} → ${event.to}: ${what}${event.arrived === null ? ', lost' : ''}`;
    }
    case 'state':
      return `${event.process} ${STATES[event.state] ?? event.state}`;
    case 'link':
      return linkText(event);
    case 'role':
      if (event.role === 'active' || event.role === 'standby') return `${event.process} is ${event.role} now`;
      return `${event.process} is ${event.role} in term ${event.term}`;
    case 'election':
      return `${event.process} asks for votes in term ${event.term}`;
    case 'term':
      return `${event.process} is in term ${event.term}`;
    case 'vote':
      if (event.ballots.length === 0) return `${event.process} finds nobody who could vote on block ${event.block}`;
      return `${event.process} votes on block ${event.block}: ${agreeing(event)} of ${event.ballots.length} agree`;
    case 'note':
      return event.process === undefined ? event.text : `${event.process}: ${event.text}`;
  }
}

const STATES: Readonly<Record<string, string>> = {
  runs: 'is running',
  stops: 'is stopped',
  'goes on': 'goes on after a stop',
};

function linkText({ from, to, isBoth, state }: Extract<RecordedEvent, { kind: 'link' }>): string {
  if (state === 'slow') return `messages between ${from} and ${to} are slow`;
  if (state === 'healed') return `${from} and ${to} reach each other again`;
  return isBoth ? `${from} and ${to} are cut off from each other` : `nothing comes to ${to} from ${from}`;
}

/** What it means, in a sentence or two. */
export function explanation(event: RecordedEvent): string {
  switch (event.kind) {
    case 'message':
      if (event.arrived === null) return 'It never arrived: the link was cut, or one of the two was gone.';
      if (event.arrived === undefined) return 'When it arrived is not recorded.';
      return `It arrived after ${timeText(event.arrived - event.t)}.`;
    case 'vote':
      return explainVote(event, event.readQuorum);
    case 'note': {
      const known = event.event === undefined ? undefined : explainEvent(event.event, event.fields);
      return known === undefined ? '' : `${known.means}${known.todo === null ? '' : ` ${known.todo}`}`;
    }
    case 'state':
      return event.state === 'loses power' ? 'What it had not synced to its disk is lost.' : '';
    case 'election':
      return 'It has not heard of a leader for too long, and wants to lead.';
    case 'term':
      return 'Whoever hears of a later term leaves the earlier one, and a leader of it does not lead any more.';
    case 'role':
    case 'link':
      return '';
  }
}

/** A duration or a time in microseconds. */
export function timeText(us: number): string {
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 1_000_000) return `${(us / 1000).toFixed(us < 100_000 ? 2 : 1)} ms`;
  return `${(us / 1_000_000).toFixed(3)} s`;
}
