// The core of primary and backups, as groups on a simulated network. It promises less than those that ask a majority: a silent server
// is taken for dead, so whatever makes servers silent that live may give it two primaries.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, it } from 'mocha';
import type { CoreStatus, EntryRange, Envelope, Outgoing } from '../../../src/replication/core/core.js';
import { BY_ALL } from '../../../src/replication/core/counting.js';
import { type MemberId, reachedByMajority } from '../../../src/replication/core/members.js';
import { Living } from '../../../src/replication/core/primary-backup/living.js';
import type { Helo, Roll } from '../../../src/replication/core/primary-backup/messages.js';
import { coreSuite, runGroup } from './core-suite.js';
import { NO_FAULTS } from './faults.js';
import { Invariants } from './invariants.js';
import { ELECTION_TICKS, makePrimaryBackup } from './make-cores.js';
import { type GroupOptions, SimulatedGroup, type Tamper } from './simulated-group.js';
import type { SimulatedMember } from './simulated-member.js';

const FIRST_SEED = Number(process.env.NMRFS_GROUP_SEED ?? (process.env.CI === 'true' ? randomInt(1, 2 ** 30) : 1));
const SEEDS = Number(process.env.NMRFS_GROUP_SEEDS ?? 20);
const MOST_SEEDS = 100;

/** Faults that a program might have. The search begins with the seed, when one is given. */
const SABOTAGES: { what: string; seed?: number; tamper?: Tamper; spoil?: () => () => void; found: RegExp }[] = [
  {
    what: 'a member that counts as soon as it has come back',
    spoil: () =>
      replaced(Living.prototype, 'next', function (this: Living, self: MemberId, own: Roll) {
        return own.voters.find((voter) => voter === self || this.isLiving(voter)) ?? null;
      }),
    found: /leader completeness|state machine safety|durability|snapshots/,
  },
  {
    what: 'a primary that waits for a majority of its backups only',
    seed: 60,
    spoil: () => replaced(BY_ALL, 'committed', reachedByMajority),
    found: /leader completeness|state machine safety|durability|snapshots/,
  },
  {
    what: 'a backup that acknowledges what it has not stored yet',
    tamper: { answersEarly: true },
    found: /leader completeness|state machine safety|durability|snapshots/,
  },
];

describe('primary-backup', function () {
  this.timeout(120_000);
  coreSuite(makePrimaryBackup, SEEDS, FIRST_SEED, ['no faults', 'crashes']);

  it('has two primaries in some network that splits, and they lose something; healed, all agree', () => {
    let splits = 0;
    let losses = 0;
    for (let seed = 1; seed <= 30; seed++) {
      const watch = new Watch();
      const group = split(seed, watch);
      for (let turn = 0; turn < 20; turn++) {
        group.run(30);
        if (leadersOf(group).length > 1) splits++;
      }
      group.heal();
      group.run(40 * ELECTION_TICKS);
      assert.equal(leadersOf(group).length, 1, `seed ${seed}: one primary in a healed network`);
      // Nothing is proposed any more, so that all have the same.
      const states = [...group.members.values()].map(({ applied }) => applied);
      const highest = Math.min(...states.map(({ mark }) => mark.index));
      assert(highest > 0, `seed ${seed}: all go on`);
      losses += watch.lost;
    }
    assert(splits > 0, 'some network has two primaries at once');
    assert(losses > 0, 'some primary takes back what was committed');
  });

  it('takes over within three heartbeats of its primary’s last one', () => {
    const group = new SimulatedGroup({
      ...{ seed: 5, size: 3, make: makePrimaryBackup, faults: { ...NO_FAULTS, longestDelay: 0, longestWrite: 0 } },
      electionTicks: ELECTION_TICKS,
    });
    group.run(100);
    const before = group.leader ?? assert.fail('a group without faults has a primary');
    before.crash();
    // electionTicks is how long a server may be silent, and a unit is about a tick.
    group.run(ELECTION_TICKS + 3);
    assert(leadersOf(group).length === 1 && leadersOf(group)[0] !== before);
  });

  it('commits only by a roll that is on its own disk', () => {
    let changes = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const rolls = new Rolls();
      const group = crashing(seed, 2 + (seed % 3), { invariants: rolls });
      group.run(300);
      changes += rolls.waits;
    }
    assert(changes > 0, 'some primary has had a roll that was not stored yet');
  });

  it('lets nobody take over who was struck off by a roll that was lost in a crash', () => {
    runGroup(makePrimaryBackup, { kind: 'crashes', seed: 52, size: 3, units: 1000 });
  });

  it('lets nobody who has been away take over beside one that has stayed', () => {
    runGroup(makePrimaryBackup, { kind: 'crashes', seed: 2608, size: 3, units: 1000 });
  });

  it('lets nobody take over who has started alone when the group may have begun without it', () => {
    runGroup(makePrimaryBackup, { kind: 'crashes', seed: 1090, size: 3, units: 1000 });
  });

  it('has no learner count before its primary knows what was committed', () => {
    let promotions = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const watch = new Promotions();
      const group = crashing(seed, 3 + (seed % 3), { invariants: watch });
      group.run(300);
      promotions += watch.promotions;
    }
    assert(promotions > 0, 'some learner counts again');
  });

  it('tells nobody of a roll that its primary may lose', () => {
    let waits = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const message = (sent: Outgoing<Envelope>): Outgoing<Envelope> => {
        const roll = unstoredRoll(group.members.get(sent.from) ?? assert.fail());
        if (roll !== null) waits++;
        assert(roll === null || lastToldOf(sent) < roll, `${sent.from} tells of the roll at ${roll}: ${sent.kind}`);
        return sent;
      };
      const group = crashing(seed, 2 + (seed % 3), { tamper: { message } });
      group.run(300);
    }
    assert(waits > 0, 'some primary says something while its roll is not stored');
  });

  it('has another primary when one dies that only the one before has heard of', () => {
    let lostAfterTerm = Number.POSITIVE_INFINITY;
    const message = (sent: Outgoing<Envelope>): Outgoing<Envelope> =>
      sent.from === 'm002' && sent.to === 'm003' && sent.term > lostAfterTerm ? { ...sent, to: 'nobody' } : sent;
    const group = groupOfThree({ message });
    const before = group.leader?.core ?? assert.fail();
    lostAfterTerm = before.status.term;
    before.transfer('m002');
    group.runUntil(() => before.status.term > lostAfterTerm, 100);
    group.members.get('m002')?.crash();
    lostAfterTerm = Number.POSITIVE_INFINITY;
    group.run(40 * ELECTION_TICKS);
    assert.equal(leadersOf(group).length, 1);
  });

  it('has another primary when all are started anew and the log of the lowest is damaged', () => {
    const group = groupOfThree();
    const { id } = group.leader ?? assert.fail();
    const all = [...group.members.values()];
    for (const member of all) member.crash();
    const lowest = group.members.get('m001') ?? assert.fail();
    lowest.damage(lowest.lastIndex);
    group.heal();
    group.run(40 * ELECTION_TICKS);
    assert.equal(id, 'm001');
    assert.deepEqual(
      leadersOf(group).map((member) => member.id),
      ['m002'],
    );
  });

  for (const { what, seed = 1, tamper, spoil, found } of SABOTAGES) {
    it(`notices ${what}`, () => {
      const restore = spoil?.();
      try {
        notice(found, seed, tamper);
      } finally {
        restore?.();
      }
    });
  }
});

/** Members crash, and the disk and the network take their time. */
function crashing(seed: number, size: number, watched: Pick<GroupOptions, 'invariants' | 'tamper'>): SimulatedGroup {
  const faults = { ...NO_FAULTS, longestDelay: 3, longestWrite: 4, crash: 0.02 };
  return new SimulatedGroup({
    ...{ seed, size, make: makePrimaryBackup, faults },
    ...{ electionTicks: ELECTION_TICKS, ...watched },
  });
}

/** Without faults, with a primary. */
function groupOfThree(tamper: Tamper = {}): SimulatedGroup {
  const faults = { ...NO_FAULTS, longestDelay: 1, longestWrite: 1 };
  const group = new SimulatedGroup({
    ...{ seed: 7, size: 3, make: makePrimaryBackup, faults },
    ...{ electionTicks: ELECTION_TICKS, tamper },
  });
  group.run(10 * ELECTION_TICKS);
  return group;
}

/** The index of a leader's first roll that is not on its disk yet. */
function unstoredRoll({ core }: SimulatedMember): number | null {
  if (core?.status.role !== 'leader') return null;
  const { committed, lastIndex } = core.status;
  for (let index = committed + 1; index <= lastIndex; index++) {
    if (core.unstored(index)?.content.kind === 'members') return index;
  }
  return null;
}

/** The last index of which a message tells others; 0 for none. */
function lastToldOf(sent: Outgoing<Envelope>): number {
  if (sent.kind === 'helo') return (sent as Helo).isPrimary ? (sent as Helo).roll.index : 0;
  return sent.kind === 'append' ? (sent as Envelope & EntryRange).last : 0;
}

/** Throws unless some seed shows the fault. */
function notice(found: RegExp, firstSeed: number, tamper: Tamper = {}): void {
  for (let seed = firstSeed; seed < firstSeed + MOST_SEEDS; seed++) {
    try {
      runGroup(makePrimaryBackup, { kind: 'crashes', seed, size: 3 + (seed % 3), units: 1000 }, tamper);
    } catch (error) {
      assert.match(String(error), found);
      return;
    }
  }
  assert.fail(`not noticed by ${MOST_SEEDS} seeds`);
}

/** Replaces a method. @returns what puts it back */
function replaced<T extends object, K extends keyof T>(holder: T, name: K, value: T[K]): () => void {
  const original = holder[name];
  holder[name] = value;
  return () => {
    holder[name] = original;
  };
}

/** Links are cut, and nothing else goes wrong. */
function split(seed: number, invariants: Invariants): SimulatedGroup {
  const faults = { ...NO_FAULTS, longestDelay: 1, longestWrite: 1, partition: 0.02 };
  return new SimulatedGroup({
    ...{ seed, size: 3 + (seed % 3), make: makePrimaryBackup, faults },
    ...{ electionTicks: ELECTION_TICKS, invariants },
  });
}

function leadersOf(group: SimulatedGroup): SimulatedMember[] {
  return [...group.members.values()].filter(({ core }) => core?.status.role === 'leader');
}

/** Sees that a primary commits nothing while a change of its members is not stored yet. */
class Rolls extends Invariants {
  waits = 0;
  readonly #before = new Map<string, number>();

  override observe(member: SimulatedMember, status: CoreStatus): void {
    super.observe(member, status);
    if (status.role !== 'leader') return;
    const { term, committed } = status;
    const key = `${member.id}/${term}`;
    const before = this.#before.get(key) ?? committed;
    this.#before.set(key, committed);
    const roll = unstoredRoll(member);
    if (roll === null) return;
    this.waits++;
    assert.equal(committed, before, `${member.id} commits by a roll at ${roll} that it has not stored`);
  }
}

/** Counts what was applied somewhere and is something else later. */
class Watch extends Invariants {
  lost = 0;
  readonly #applied = new Map<string, string>();

  override observe(): void {}
  override stored(): void {}
  override read(): void {}
  override installed(): void {}

  override applied(member: SimulatedMember, entry: { index: number }, digest: string): void {
    const key = `${member.id}/${entry.index}`;
    const before = this.#applied.get(key);
    if (before !== undefined && before !== digest) this.lost++;
    this.#applied.set(key, digest);
  }
}

/** Whether a primary has committed something of its term when it makes a voter of a learner. */
class Promotions extends Invariants {
  promotions = 0;
  /** Of the last term of each member: its first entry, and the voters that were seen last. */
  readonly #reigns = new Map<MemberId, { term: number; first: number; voters: readonly MemberId[] }>();

  override observe(member: SimulatedMember, status: CoreStatus): void {
    super.observe(member, status);
    if (status.role !== 'leader') return;
    const { term, committed, lastIndex } = status;
    const { voters } = status.members;
    const reign = this.#reigns.get(member.id);
    // It begins with an entry that says nothing, and its roll.
    const first = reign?.term === term ? reign.first : lastIndex - 1;
    if (reign?.term === term && voters.some((voter) => !reign.voters.includes(voter))) {
      this.promotions++;
      assert(
        committed >= first,
        `${member.id} has committed up to ${committed} before ${first}, and counts another voter`,
      );
    }
    this.#reigns.set(member.id, { term, first, voters });
  }
}
