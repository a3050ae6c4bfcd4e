// A group whose network loses, repeats, delays and overtakes, and whose members crash, lose disks, and come and go. All of it
// follows from a seed. Time passes in units; a member ticks about once a unit.
import assert from 'node:assert/strict';
import type { CoreStatus, Envelope, Outgoing } from '../../../src/replication/core/core.js';
import { hasMember, type MemberId } from '../../../src/replication/core/members.js';
import { SeededRandom } from '../../simulation/world/seeded-random.js';
import { Administrator } from './administrator.js';
import { type Faults, NO_FAULTS } from './faults.js';
import { Invariants } from './invariants.js';
import { type MakeCore, SimulatedMember, type State } from './simulated-member.js';
import { SimulatedNetwork } from './simulated-network.js';

export interface GroupOptions {
  seed: number;
  size: number;
  make: MakeCore;
  faults: Faults;
  /** The shortest time without a leader that makes a member ask for votes, in ticks. */
  electionTicks: number;
  tamper?: Tamper;
  /** What must hold; that of protocols which ask a majority when absent. */
  invariants?: Invariants;
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

export class SimulatedGroup {
  readonly invariants: Invariants;
  readonly members = new Map<MemberId, SimulatedMember>();
  faults: Faults;
  /** How often a member did what its core wanted done: after each tick, message, proposal and write. */
  steps = 0;
  #now = 0;
  #proposals = 0;
  #made = 0;
  /** When each round of heartbeats was begun, as MEMBER/TERM/ROUND. */
  readonly #roundsBegan = new Map<string, number>();
  readonly #speeds = new Map<MemberId, number>();
  readonly #clocks = new Map<MemberId, number>();
  readonly #random: SeededRandom;
  readonly #network: SimulatedNetwork;
  readonly #administrator: Administrator;
  readonly #options: GroupOptions;

  constructor(options: GroupOptions) {
    this.#options = options;
    this.invariants = options.invariants ?? new Invariants();
    this.faults = options.faults;
    this.#random = new SeededRandom(options.seed);
    this.#network = new SimulatedNetwork(this.#random);
    const startNew = () => this.#add(this.#newId(), null);
    this.#administrator = new Administrator({ all: this.members, size: options.size, random: this.#random, startNew });
    const founders = Array.from({ length: options.size }, () => this.#newId()).sort();
    for (const id of founders) this.#add(id, founders);
  }

  /** @param units of time */
  run(units: number): void {
    const end = this.#now + units;
    while (this.#now < end) this.#unit();
  }

  /** @param most units of time, after which it ends though the condition does not hold */
  runUntil(condition: () => boolean, most: number): void {
    const end = this.#now + most;
    while (this.#now < end && !condition()) this.#unit();
  }

  /** No more faults: everything runs, and all links work. */
  heal(): void {
    this.faults = NO_FAULTS;
    this.#network.heal();
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
    if (this.#random.chance(this.faults.membership)) {
      this.#administrator.changeMembers(member);
      this.#settle(member);
    }
    if (this.#random.chance(this.faults.transfer)) {
      member.core?.transfer(this.#random.pick(member.core.status.members.voters));
      this.#settle(member);
    }
  }

  #deliver(): void {
    for (const { message, state } of this.#network.takeDue(this.#now)) {
      const member = this.members.get(message.to);
      if (member?.core == null) continue;
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
    this.steps++;
    const { status } = core;
    this.#noteRound(member.id, status);
    this.#send(member, status.term);
    if (member.writing === null) {
      const writes = core.takeWrites();
      if (writes !== null) {
        member.writing = { writes, dueAt: this.#now + this.#random.between(0, this.faults.longestWrite) };
        if (this.#options.tamper?.answersEarly) for (const message of writes.afterwards) this.#post(member, message);
      }
    }
    this.invariants.observe(member, status);
    for (const { entry, digest } of member.applyNext(status)) this.invariants.applied(member, entry, digest);
  }

  #noteRound(id: MemberId, { role, term, lastRound }: CoreStatus): void {
    if (role !== 'leader') return;
    const round = `${id}/${term}/${lastRound}`;
    if (!this.#roundsBegan.has(round)) this.#roundsBegan.set(round, this.#now);
  }

  #send(member: SimulatedMember, term: number): void {
    const { messages, snapshotsFor } = member.core?.takeSends() ?? assert.fail();
    for (const message of messages) this.#post(member, message);
    for (const to of snapshotsFor) {
      const state = this.#options.tamper?.state?.(member.applied) ?? member.applied;
      this.#network.carry(this.#now, this.faults, { kind: 'state', from: member.id, to, term }, state);
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
    if (sent !== null) this.#network.carry(this.#now, this.faults, sent);
  }

  #trouble(): void {
    const random = this.#random;
    const all = [...this.members.values()].filter(({ isRemoved }) => !isRemoved);
    const member = random.pick(all);
    if (member.core === null) {
      if (random.chance(0.2)) this.#start(member);
    } else if (random.chance(this.faults.crash)) {
      member.crash();
      if (this.#administrator.mayLose(member, this.leader) && random.chance(this.faults.damage)) member.damage();
      if (random.chance(this.faults.quickRestart)) this.#start(member);
    } else if (random.chance(this.faults.wipe) && this.#administrator.mayLose(member, this.leader)) {
      this.#wipe(member);
    }
    if (random.chance(this.faults.partition)) this.#network.partition(all.map(({ id }) => id));
  }

  /** A server that comes back blank is another member. */
  #wipe(member: SimulatedMember): void {
    member.crash();
    member.isRemoved = true;
    const { leader } = this;
    if (leader === undefined) return;
    this.#administrator.remove(member.id, leader);
    this.#settle(leader);
  }

  #newId(): MemberId {
    return `m${String(++this.#made).padStart(3, '0')}`;
  }

  #add(id: MemberId, founders: readonly MemberId[] | null): MemberId {
    const member = new SimulatedMember(id, founders, this.#options.make, this.#random);
    this.members.set(id, member);
    this.#speeds.set(id, 1 - DRIFT + this.#random.fraction() * 2 * DRIFT);
    this.#start(member);
    return id;
  }

  #start(member: SimulatedMember): void {
    this.#options.tamper?.restart?.(member);
    // A crash may have left a part of a write.
    this.invariants.stored(member, member.entries);
    member.start();
    this.#settle(member);
  }
}
