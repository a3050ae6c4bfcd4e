// Faults that a program might have, each as a core, a disk or a network that does one thing wrong. Nothing of src knows of them: a
// core is wrapped, messages are changed on their way, or a part of a core is another one for the time of a call.
import assert from 'node:assert/strict';
import { BLANK_HARD_STATE, type Core } from '../../../src/replication/core/core.js';
import { LogShape } from '../../../src/replication/core/log-shape.js';
import type { MemberId } from '../../../src/replication/core/members.js';
import type { RaftMessage } from '../../../src/replication/core/raft/messages.js';
import { makeRaft, makeViewstamped } from './make-cores.js';
import type { Tamper } from './simulated-group.js';
import type { MakeCore } from './simulated-member.js';

export interface Sabotage {
  /** What does something wrong. */
  readonly what: string;
  readonly tamper?: Tamper;
  readonly make: MakeCore;
  /** The kind of faults, or the script, that shows it. */
  readonly by: { readonly faults: string } | { readonly script: string };
  readonly found: RegExp;
}

/** Of any protocol. */
function ofAny(make: MakeCore): Sabotage[] {
  return [
    {
      what: 'a member that forgets its term',
      tamper: {
        restart(member) {
          member.hardState = BLANK_HARD_STATE;
        },
      },
      make,
      by: { faults: 'crashes' },
      found: /election safety|a term has one leader|a view has one primary|terms never go down|log matching/,
    },
    {
      what: 'a damaged member that votes',
      make: (self, stored, random) => make(self, { ...stored, damagedUpTo: 0 }, random),
      by: { faults: 'damaged disks while links are cut' },
      found: /leader completeness/,
    },
    {
      what: 'a member that acknowledges what it has not stored yet',
      tamper: { answersEarly: true },
      make,
      by: { faults: 'crashes' },
      found: /durability|leader completeness/,
    },
    {
      what: 'a member that takes every entry for a match',
      tamper: { message: (message) => (message.kind === 'appended' ? { ...message, isMatch: true } : message) },
      make,
      by: { faults: 'everything' },
      found: /durability|committed is in the log|state machine safety/,
    },
    {
      what: 'a leader that counts heartbeats which nobody has answered',
      make: changed(make, (core) => ({
        get status() {
          return { ...core.status, confirmedRound: core.status.lastRound };
        },
      })),
      by: { faults: 'cuts in a quick network' },
      found: /reads/,
    },
    {
      what: 'a state that lacks what came last',
      tamper: { state: (state) => ({ ...state, digest: 'older' }) },
      make,
      by: { faults: 'members that come and go' },
      found: /snapshots/,
    },
  ];
}

export const RAFT_SABOTAGES: readonly Sabotage[] = [
  ...ofAny(makeRaft),
  {
    what: 'a member that votes for everybody',
    tamper: {
      message: (message) =>
        message.kind === 'vote' && 'isTrial' in message && !message.isTrial ? { ...message, isGranted: true } : message,
    },
    make: makeRaft,
    by: { faults: 'everything' },
    found: /election safety|leader completeness/,
  },
  {
    what: 'a member that forgets for whom it voted',
    tamper: {
      restart(member) {
        member.hardState = { ...member.hardState, vote: null };
      },
    },
    make: makeRaft,
    by: { faults: 'crashes in the midst of elections' },
    found: /election safety/,
  },
  {
    what: 'a member that votes for a candidate with an older log',
    make: changed(makeRaft, (core) => ({
      step: (message) =>
        core.step(
          message.kind === 'askVote'
            ? { ...message, lastIndex: Number.MAX_SAFE_INTEGER, lastTerm: Number.MAX_SAFE_INTEGER }
            : message,
        ),
    })),
    by: { faults: 'everything' },
    found: /leader completeness/,
  },
  {
    what: 'a candidate that counts the same vote twice',
    make: changed(makeRaft, countingMessages),
    by: { faults: 'crashes in the midst of elections' },
    found: /election safety|leader completeness/,
  },
  {
    what: 'a leader that commits entries of earlier terms by counting',
    make: changed(makeRaft, (core) => {
      const countingAll = (action: () => void) => {
        const { term } = core.status;
        whileLogHas('termAt', { value: () => term }, action);
      };
      return {
        step: (message) => {
          if (message.kind === 'appended') countingAll(() => core.step(message));
          else core.step(message);
        },
        stored: () => countingAll(() => core.stored()),
      };
    }),
    by: { script: 'figure-8.txt' },
    found: /state machine safety/,
  },
  {
    what: 'a follower that commits whatever the leader has committed',
    make: changed(makeRaft, (core) => ({
      takeSends: () => {
        const { messages, snapshotsFor } = core.takeSends();
        const { committed } = core.status;
        return {
          messages: messages.map((message) => (message.kind === 'heartbeat' ? { ...message, committed } : message)),
          snapshotsFor,
        };
      },
    })),
    by: { faults: 'everything' },
    found: /state machine safety|what is committed is never replaced/,
  },
  {
    what: 'a follower that truncates its log at every append',
    make: changed(makeRaft, (core) => ({
      step: (message) => {
        if (message.kind !== 'append') {
          core.step(message);
          return;
        }
        const { committed } = core.status;
        const { previousIndex } = message;
        const original = LogShape.prototype.termAt;
        const value = function (this: LogShape, index: number): number | undefined {
          return index > Math.max(previousIndex, committed) ? undefined : original.call(this, index);
        };
        whileLogHas('termAt', { value }, () => core.step(message));
      },
    })),
    by: { faults: 'everything' },
    found: /durability|leader completeness/,
  },
  {
    what: 'a leader that counts a learner as a voter',
    make: changed(makeRaft, (core, self) => ({
      step: (message) => {
        core.step(message);
        const { voters, learners } = core.status.members;
        const voter = voters.find((other) => other !== self);
        if (message.kind === 'appended' && learners.includes(message.from) && voter !== undefined) {
          core.step({ ...message, from: voter });
        }
      },
    })),
    by: { faults: 'members that come and go' },
    found: /durability|leader completeness/,
  },
  {
    what: 'a leader that changes the membership twice at once',
    make: changed(makeRaft, (core) => ({
      proposeMembers: (members) => whileLogHas('lastChange', { get: () => 0 }, () => core.proposeMembers(members)),
    })),
    by: { faults: 'members that come and go while links are cut' },
    found: /election safety|leader completeness|state machine safety/,
  },
];

export const VIEWSTAMPED_SABOTAGES: readonly Sabotage[] = [
  ...ofAny(makeViewstamped),
  {
    what: 'a member that hides its log from the next primary',
    make: makeViewstamped,
    tamper: {
      message: (message) => (message.kind === 'doViewChange' ? { ...message, lastIndex: 0, lastTerm: 0 } : message),
    },
    by: { faults: 'partitions' },
    found: /leader completeness|committed is in the log|what is committed is never replaced/,
  },
  {
    what: 'a primary that begins its view again',
    make: makeViewstamped,
    tamper: {
      restart(member) {
        member.hardState = { term: Math.max(0, member.hardState.term - 1), vote: null };
      },
    },
    by: { faults: 'crashes' },
    found: /log matching|state machine safety|terms never go down/,
  },
];

type RaftCore = Core<RaftMessage>;

/** Makes cores some of whose parts are others. */
function changed(make: MakeCore, parts: (core: RaftCore, self: MemberId) => Partial<RaftCore>): MakeCore {
  return (self, stored, random) => {
    const core = make(self, stored, random) as RaftCore;
    const others = parts(core, self);
    return new Proxy<Core>(core as Core, {
      get(target, property) {
        if (property in others) return Reflect.get(others, property);
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
}

/** Each granted vote that arrives is taken for that of another voter. */
function countingMessages(core: RaftCore, self: MemberId): Partial<RaftCore> {
  let counted = { term: 0, votes: 0 };
  return {
    step(message) {
      if (message.kind !== 'vote' || message.isTrial || !message.isGranted) {
        core.step(message);
        return;
      }
      if (message.term !== counted.term) counted = { term: message.term, votes: 0 };
      const others = core.status.members.voters.filter((voter) => voter !== self);
      core.step({ ...message, from: others[counted.votes++ % others.length] ?? message.from });
    },
  };
}

/** Does something while all logs have another `property`. */
function whileLogHas<Result>(
  property: 'termAt' | 'lastChange',
  other: PropertyDescriptor,
  action: () => Result,
): Result {
  const original = Object.getOwnPropertyDescriptor(LogShape.prototype, property) ?? assert.fail(property);
  Object.defineProperty(LogShape.prototype, property, { ...other, configurable: true });
  try {
    return action();
  } finally {
    Object.defineProperty(LogShape.prototype, property, original);
  }
}
