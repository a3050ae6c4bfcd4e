// A group whose network loses, repeats, delays and overtakes, and whose members crash, lose disks, and come and go. All of it
// follows from a seed. Time passes in units; a member ticks about once a unit.
import assert from 'node:assert/strict';
import type { Entry, Envelope, Outgoing } from '../../../src/replication/core/core.js';
import {
  hasMember,
  type MemberId,
  type Members,
  majority,
  withLearner,
  withoutMember,
  withVoter,
} from '../../../src/replication/core/members.js';
import { SeededRandom } from '../../simulation/world/seeded-random.js';
import { Invariants } from './invariants.js';
import { type MakeCore, SimulatedMember, type State } from './simulated-member.js';

export interface Faults {
  /** Share of messages. */
  loss: number;
  repetition: number;
  /** In units of time. */
  longestDelay: number;
  longestWrite: number;
  /** Chance per unit of time of each. */
  crash: number;
  /** That a member that crashes starts again at once. */
  quickRestart: number;
  damage: number;
  wipe: number;
  partition: number;
  membership: number;
  transfer: number;
}

export const NO_FAULTS: Faults = {
  loss: 0,
  repetition: 0,
  longestDelay: 1,
  longestWrite: 1,
  crash: 0,
  quickRestart: 0,
  damage: 0,
  wipe: 0,
  partition: 0,
  membership: 0,
  transfer: 0,
};

export interface GroupOptions {
  seed: number;
  size: number;
  make: MakeCore;
  faults: Faults;
  /** The shortest time without a leader that makes a member ask for votes, in ticks. */
  electionTicks: number;
  tamper?: Tamper;
}

/** What a sabotage changes. */
export interface Tamper {
  message?(message: Outgoing<Envelope>): Outgoing<Envelope>;
  state?(state: State): State;
  restart?(member: SimulatedMember): void;
  /** What is to be sent after a write is sent before it. */
  answersEarly?: boolean;
}

/** Ticks are so much longer or shorter than a unit of time, at most. */
const DRIFT = 0.1;
const COMPACTION = 0.02;
const MOST_MEMBERS = 9;

interface Transit {
  dueAt: number;
  message: Envelope & { entries?: readonly Entry[] };
  state?: State;
}

export class SimulatedGroup {
  readonly invariants = new Invariants();
  readonly members = new Map<MemberId, SimulatedMember>();
  faults: Faults;
  #now = 0;
  #network: Transit[] = [];
  /** Links that carry nothing, as FROM>TO. */
  #cut = new Set<string>();
  #proposals = 0;
  #made = 0;
  /** When each round of heartbeats was begun, as MEMBER/TERM/ROUND. */
  readonly #roundsBegan = new Map<string, number>();
  readonly #speeds = new Map<MemberId, number>();
  readonly #clocks = new Map<MemberId, number>();
  readonly #random: SeededRandom;
  readonly #options: GroupOptions;

  constructor(options: GroupOptions) {
    this.#options = options;
    this.faults = options.faults;
    this.#random = new SeededRandom(options.seed);
    const founders = Array.from({ length: options.size }, () => this.#newId()).sort();
    for (const id of founders) this.#add(id, founders);
  }

  /** @param units of time */
  run(units: number): void {
    const end = this.#now + units;
    while (this.#now < end) this.#unit();
  }

  /** No more faults: everything runs, and all links work. */
  heal(): void {
    this.faults = NO_FAULTS;
    this.#cut.clear();
    for (const member of this.members.values()) if (member.core === null) this.#start(member);
  }

  /** The running member that leads the highest term. */
  get leader(): SimulatedMember | undefined {
    return [...this.members.values()]
      .filter(({ core }) => core?.status.role === 'leader')
      .sort((one, other) => (other.core?.status.term ?? 0) - (one.core?.status.term ?? 0))[0];
  }

  /** Members of the group as the leader sees it. */
  get current(): SimulatedMember[] {
    const status = this.leader?.core?.status;
    return status === undefined ? [] : [...this.members.values()].filter(({ id }) => hasMember(status.members, id));
  }

  propose(member: SimulatedMember): number | null {
    const index = member.core?.propose(`p${++this.#proposals}`, 10) ?? null;
    this.#settle(member);
    return index;
  }

  #unit(): void {
    this.#now++;
    for (const member of this.members.values()) {
      if (member.core === null) continue;
      const clock = (this.#clocks.get(member.id) ?? 0) + (this.#speeds.get(member.id) ?? 1);
      this.#clocks.set(member.id, clock % 1);
      for (let tick = 0; tick < Math.floor(clock); tick++) member.core.tick();
      this.#settle(member);
      if (member.writing !== null && member.writing.dueAt <= this.#now) this.#finishWriting(member);
      if (this.#random.chance(COMPACTION)) member.compact();
      if (member.core.status.role === 'leader') this.#lead(member);
    }
    this.#deliver();
    this.#trouble();
  }

  #lead(member: SimulatedMember): void {
    if (this.#random.chance(0.3)) this.propose(member);
    const { isServing, confirmedRound, term } = member.core?.status ?? assert.fail();
    const began = this.#roundsBegan.get(`${member.id}/${term}/${confirmedRound}`) ?? Number.NEGATIVE_INFINITY;
    const lease = this.#options.electionTicks * (1 - 2 * DRIFT);
    if (isServing && began + lease > this.#now) this.invariants.read(member);
    if (this.#random.chance(this.faults.membership)) this.#changeMembers(member);
    if (this.#random.chance(this.faults.transfer)) {
      member.core?.transfer(this.#random.pick(member.core.status.members.voters));
      this.#settle(member);
    }
  }

  #deliver(): void {
    const due = this.#network.filter(({ dueAt }) => dueAt <= this.#now);
    this.#network = this.#network.filter(({ dueAt }) => dueAt > this.#now);
    for (const { message, state } of due) {
      const member = this.members.get(message.to);
      if (member?.core == null || this.#cut.has(`${message.from}>${message.to}`)) continue;
      if (state === undefined) member.core.step(message);
      else if (member.writing === null && member.received === null) {
        member.received = state;
        member.core.snapshotArrived(message.from, message.term, state.mark);
      }
      this.#settle(member);
      if (member.writing?.writes.install == null) member.received = null;
    }
  }

  /** Has done what the core wants done. */
  #settle(member: SimulatedMember): void {
    const { core } = member;
    if (core === null) return;
    const { lastRound, term, role } = core.status;
    if (role === 'leader' && !this.#roundsBegan.has(`${member.id}/${term}/${lastRound}`)) {
      this.#roundsBegan.set(`${member.id}/${term}/${lastRound}`, this.#now);
    }
    this.#send(member);
    if (member.writing === null) {
      const writes = core.takeWrites();
      if (writes !== null) {
        member.writing = { writes, dueAt: this.#now + this.#random.between(0, this.faults.longestWrite) };
        if (this.#options.tamper?.answersEarly) for (const message of writes.afterwards) this.#post(member, message);
      }
    }
    this.invariants.observe(member);
    for (const { entry, digest } of member.applyNext()) this.invariants.applied(member, entry, digest);
  }

  #send(member: SimulatedMember): void {
    const { messages, snapshotsFor } = member.core?.takeSends() ?? assert.fail();
    for (const message of messages) this.#post(member, message);
    for (const to of snapshotsFor) {
      const state = this.#options.tamper?.state?.(member.applied) ?? member.applied;
      const { term } = member.core?.status ?? assert.fail();
      this.#carry({ kind: 'state', from: member.id, to, term }, state);
      member.core?.snapshotEnded(to);
    }
  }

  #finishWriting(member: SimulatedMember): void {
    const writes = member.finishWriting();
    if (writes.install !== null) {
      this.invariants.installed(member);
      member.received = null;
    }
    this.invariants.stored(member, writes.entries);
    if (!this.#options.tamper?.answersEarly) for (const message of writes.afterwards) this.#post(member, message);
    this.#settle(member);
  }

  /** Adds the entries that a message names. */
  #post(member: SimulatedMember, message: Outgoing<Envelope>): void {
    const sent = member.withEntries(this.#options.tamper?.message?.(message) ?? message);
    if (sent !== null) this.#carry(sent);
  }

  #carry(message: Envelope, state?: State): void {
    const times = this.#random.chance(this.faults.repetition) ? 2 : 1;
    for (let copy = 0; copy < times; copy++) {
      if (this.#random.chance(this.faults.loss)) continue;
      const dueAt = this.#now + this.#random.between(0, this.faults.longestDelay);
      this.#network.push(state === undefined ? { dueAt, message } : { dueAt, message, state });
    }
  }

  #trouble(): void {
    const random = this.#random;
    const all = [...this.members.values()].filter(({ isRemoved }) => !isRemoved);
    const member = random.pick(all);
    if (member.core === null) {
      if (random.chance(0.2)) this.#start(member);
    } else if (random.chance(this.faults.crash)) {
      member.crash();
      if (this.#mayLose(member) && random.chance(this.faults.damage)) member.damage();
      if (random.chance(this.faults.quickRestart)) this.#start(member);
    } else if (random.chance(this.faults.wipe) && this.#mayLose(member)) {
      this.#replace(member);
    }
    if (random.chance(this.faults.partition)) this.#partition(all.map(({ id }) => id));
  }

  /** Whether the group survives it when this disk loses something, as far as can be seen from outside. */
  #mayLose(member: SimulatedMember): boolean {
    const status = this.leader?.core?.status;
    if (status === undefined) return false;
    const { voters } = status.members;
    // A learner may become a voter before anybody sees that it has lost something.
    if (!voters.includes(member.id)) return false;
    const bad = voters.filter((id) => id === member.id || this.#hasLost(id));
    return voters.length - bad.length >= majority(status.members);
  }

  #hasLost(id: MemberId): boolean {
    const member = this.members.get(id);
    return member === undefined || member.isRemoved || member.damagedUpTo > 0;
  }

  /** A server that comes back blank is another member. */
  #replace(member: SimulatedMember): void {
    member.crash();
    member.isRemoved = true;
    const leader = this.leader;
    const members = leader?.core?.status.members;
    if (leader?.core == null || members === undefined || !members.voters.includes(member.id)) return;
    leader.core.proposeMembers(withoutMember(members, member.id));
    this.#settle(leader);
  }

  #changeMembers(leader: SimulatedMember): void {
    assert(leader.core !== null, 'a leader runs');
    const { members, lastIndex } = leader.core.status;
    const gone = members.voters.find((id) => this.members.get(id)?.isRemoved === true);
    // Who makes a voter of a damaged learner may give the group up: it does not count yet.
    const ready = leader.core.progress.find(
      ({ member, matched }) => members.learners.includes(member) && matched + 10 >= lastIndex && !this.#hasLost(member),
    );
    leader.core.proposeMembers(this.#nextMembers(members, gone, ready?.member));
    this.#settle(leader);
  }

  #nextMembers(members: Members, gone: MemberId | undefined, ready: MemberId | undefined): Members {
    if (gone !== undefined) return withoutMember(members, gone);
    if (ready !== undefined) return withVoter(members, ready);
    const size = members.voters.length + members.learners.length;
    if (size < this.#options.size || (size < MOST_MEMBERS && this.#random.chance(0.5))) {
      const id = this.#newId();
      this.#add(id, null);
      return withLearner(members, id);
    }
    // Who removes healthy members while others are damaged gives the group up.
    if (members.voters.length < 2 || members.voters.some((id) => this.#hasLost(id))) return members;
    const leaving = this.#random.pick(members.voters);
    return withoutMember(members, leaving);
  }

  #partition(all: readonly MemberId[]): void {
    this.#cut.clear();
    if (this.#random.chance(0.4)) return;
    const isOneWay = this.#random.chance(0.3);
    const side = new Set(all.filter(() => this.#random.chance(0.5)));
    for (const from of all) {
      for (const to of all) {
        if (side.has(from) === side.has(to)) continue;
        if (isOneWay && side.has(from)) continue;
        // Some links of a partial partition go on working.
        if (!this.#random.chance(0.1)) this.#cut.add(`${from}>${to}`);
      }
    }
  }

  #newId(): MemberId {
    return `m${String(++this.#made).padStart(3, '0')}`;
  }

  #add(id: MemberId, founders: readonly MemberId[] | null): void {
    const member = new SimulatedMember(id, founders, this.#options.make, this.#random);
    this.members.set(id, member);
    this.#speeds.set(id, 1 - DRIFT + this.#random.fraction() * 2 * DRIFT);
    this.#start(member);
  }

  #start(member: SimulatedMember): void {
    this.#options.tamper?.restart?.(member);
    // A crash may have left a part of a write.
    this.invariants.stored(member, member.entries);
    member.start();
    this.#settle(member);
  }
}
