// What shows that the suite of the cores is worth something: each of these faults of a program is noticed.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { BLANK_HARD_STATE, type Core } from '../../../src/replication/core/core.js';
import { runGroup } from './core-suite.js';
import { makeRaft, makeViewstamped } from './make-cores.js';
import type { Tamper } from './simulated-group.js';
import type { MakeCore } from './simulated-member.js';

const MOST_SEEDS = 100;

type Sabotage = [what: string, tamper: Tamper, faults: string, found: RegExp];

const OF_ALL: Sabotage[] = [
  [
    'a member that forgets its term',
    {
      restart(member) {
        member.hardState = BLANK_HARD_STATE;
      },
    },
    'crashes',
    /election safety|a term has one leader|a view has one primary|terms never go down|log matching/,
  ],
  [
    'a member that acknowledges what it has not stored yet',
    { answersEarly: true },
    'crashes',
    /durability|leader completeness/,
  ],
  [
    'a member that takes every entry for a match',
    { message: (message) => (message.kind === 'appended' ? { ...message, isMatch: true } : message) },
    'everything',
    /durability|committed is in the log|state machine safety/,
  ],
  [
    'a damaged member that votes',
    {
      restart(member) {
        member.damagedUpTo = 0;
      },
    },
    'crashes, damaged disks and wiped disks',
    /leader completeness/,
  ],
  [
    'a state that lacks what came last',
    { state: (state) => ({ ...state, digest: 'older' }) },
    'members that come and go',
    /snapshots/,
  ],
];

const OF_RAFT: Sabotage[] = [
  [
    'a member that votes for everybody',
    {
      message: (message) =>
        message.kind === 'vote' && 'isTrial' in message && !message.isTrial ? { ...message, isGranted: true } : message,
    },
    'everything',
    /election safety|leader completeness/,
  ],
  [
    'a member that forgets for whom it voted',
    {
      restart(member) {
        member.hardState = { ...member.hardState, vote: null };
      },
    },
    'crashes',
    /election safety/,
  ],
];

const OF_VIEWSTAMPED: Sabotage[] = [
  [
    'a member that hides its log from the next primary',
    { message: (message) => (message.kind === 'doViewChange' ? { ...message, lastIndex: 0, lastTerm: 0 } : message) },
    'partitions',
    /leader completeness|committed is in the log|what is committed is never replaced/,
  ],
  [
    'a member that enters a view although it hears its primary',
    {
      message: (message) =>
        message.kind === 'startViewChange' || message.kind === 'doViewChange'
          ? { ...message, released: message.term }
          : message,
    },
    'partitions',
    /reads/,
  ],
  [
    'a primary that begins its view again',
    {
      restart(member) {
        member.hardState = { term: Math.max(0, member.hardState.term - 1), vote: null };
      },
    },
    'crashes',
    /log matching|state machine safety|terms never go down/,
  ],
];

const CORES: [name: string, make: MakeCore, sabotages: Sabotage[]][] = [
  ['raft', makeRaft, [...OF_ALL, ...OF_RAFT]],
  ['viewstamped', makeViewstamped, [...OF_ALL, ...OF_VIEWSTAMPED]],
];

for (const [name, make, sabotages] of CORES) {
  describe(`groups of ${name}`, () => {
    for (const [what, tamper, kind, found] of sabotages) {
      it(`notice ${what}`, function () {
        this.timeout(120_000);
        notices(make, tamper, kind, found);
      });
    }

    it('notice a leader that counts heartbeats which nobody has answered', function () {
      this.timeout(120_000);
      notices((...parameters) => withoutAsking(make(...parameters)), {}, 'partitions', /reads/);
    });
  });
}

/** Throws unless some seed shows the fault. */
function notices(make: MakeCore, tamper: Tamper, kind: string, found: RegExp): void {
  for (let seed = 1; seed <= MOST_SEEDS; seed++) {
    try {
      runGroup(make, { kind, seed, size: 3 + (seed % 3), units: 1000 }, tamper);
    } catch (error) {
      assert.match(String(error), found);
      return;
    }
  }
  assert.fail(`not noticed by ${MOST_SEEDS} seeds`);
}

/** The core says that its last round of heartbeats was answered. */
function withoutAsking(core: Core): Core {
  return new Proxy(core, {
    get(target, property) {
      if (property === 'status') return { ...target.status, confirmedRound: target.status.lastRound };
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
