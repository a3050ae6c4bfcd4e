// A group in which nothing happens that a script does not ask for: clocks stand still, and messages wait, until a command moves
// them. It says in lines what every member does, and checks what must hold in every group.
import assert from 'node:assert/strict';
import type { Core, Envelope, Outgoing } from '../../../src/replication/core/core.js';
import type { MemberId, Members } from '../../../src/replication/core/members.js';
import { SeededRandom } from '../../simulation/world/seeded-random.js';
import { Invariants } from './invariants.js';
import { ELECTION_TICKS } from './make-cores.js';
import { messageText, roleText, type ScriptMessage, statusText, writesText } from './script-text.js';
import { type MakeCore, SimulatedMember } from './simulated-member.js';

/** A script that delivers more at once has messages that go round for ever. */
const MOST_DELIVERIES = 5000;

const AT_FIRST = 'follower of nobody in term 0';

/** Draws what the script says. */
class Patience extends SeededRandom {
  /** So many ticks are added to the shortest election time-out. */
  ticks = 0;

  override fraction(): number {
    return (this.ticks + 0.5) / ELECTION_TICKS;
  }

  override fork(): this {
    return this;
  }
}

export class ScriptedGroup {
  readonly #members = new Map<MemberId, SimulatedMember>();
  readonly #patience = new Map<MemberId, Patience>();
  #network: ScriptMessage[] = [];
  /** Links that carry nothing, as FROM>TO. */
  readonly #cut = new Set<string>();
  /** Links whose messages are delivered only by name. */
  readonly #held = new Set<string>();
  readonly #slowDisks = new Set<MemberId>();
  /** What was last said of each member. */
  readonly #roles = new Map<MemberId, string>();
  readonly #committed = new Map<MemberId, number>();
  #lines: string[] = [];
  readonly #invariants = new Invariants();
  readonly #make: MakeCore;

  constructor(make: MakeCore) {
    this.#make = make;
  }

  /** @returns what was said since the last call */
  takeLines(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  get memberIds(): MemberId[] {
    return [...this.#members.keys()];
  }

  status(): string[] {
    return [...this.#members.values()].map(statusText);
  }

  /** @param founders null for a blank member that waits for others to take it in */
  add(id: MemberId, founders: readonly MemberId[] | null): void {
    assert(!this.#members.has(id), `${id} is new`);
    const patience = new Patience(0);
    this.#patience.set(id, patience);
    this.#members.set(id, new SimulatedMember(id, founders, this.#make, patience));
    this.#roles.set(id, AT_FIRST);
    this.start(id);
  }

  start(id: MemberId): void {
    const member = this.#member(id);
    assert(member.core === null, `${id} is down`);
    member.start();
    this.#committed.set(id, member.base.mark.index);
    this.#settle(member);
  }

  /** What is being stored is lost. */
  crash(id: MemberId): void {
    const member = this.#running(id);
    member.writing = null;
    member.crash();
    this.#roles.delete(id);
  }

  damage(id: MemberId, first: number): void {
    this.#member(id).damage(first);
  }

  compact(id: MemberId): void {
    this.#running(id).compact();
  }

  setPatience(id: MemberId, ticks: number): void {
    const patience = this.#patience.get(id);
    assert(patience !== undefined, `${id} is a member`);
    patience.ticks = ticks;
  }

  tick(ids: readonly MemberId[]): void {
    for (const id of ids) {
      const member = this.#member(id);
      if (member.core === null) continue;
      member.core.tick();
      this.#settle(member);
    }
  }

  propose(id: MemberId, data: string, bytes: number): void {
    const member = this.#running(id);
    if (this.#coreOf(id).propose(data, bytes) === null) this.#say(`${id} refuses ${data}`);
    this.#settle(member);
  }

  proposeMembers(id: MemberId, members: Members): void {
    const answer = this.#coreOf(id).proposeMembers(members);
    if (typeof answer === 'string') this.#say(`${id} refuses: ${answer}`);
    this.#settle(this.#running(id));
  }

  transfer(id: MemberId, to: MemberId): void {
    if (!this.#coreOf(id).transfer(to)) this.#say(`${id} refuses to hand over`);
    this.#settle(this.#running(id));
  }

  startRound(id: MemberId): void {
    this.#coreOf(id).startRound();
    this.#settle(this.#running(id));
  }

  cut(links: readonly string[]): void {
    for (const link of links) this.#cut.add(link);
  }

  hold(links: readonly string[]): void {
    for (const link of links) this.#held.add(link);
  }

  /** All links work again, and hold nothing back. */
  heal(): void {
    this.#cut.clear();
    this.#held.clear();
  }

  setDisk(id: MemberId, isSlow: boolean): void {
    this.#running(id);
    if (isSlow) this.#slowDisks.add(id);
    else this.#slowDisks.delete(id);
  }

  /** The disk of a member ends the write that it has begun. */
  finishWriting(id: MemberId): void {
    this.#finishWriting(this.#running(id));
  }

  /** Delivers what waits, and what that leads to, until nothing is left but what is held back. */
  deliverAll(): void {
    for (let count = 0; count < MOST_DELIVERIES; count++) {
      const at = this.#network.findIndex((message) => !this.#held.has(linkOf(message)));
      if (at < 0) return;
      this.#deliver(at);
    }
    assert.fail(`messages still come after ${MOST_DELIVERIES}`);
  }

  /** Delivers the first so many that wait on a link, and nothing that they lead to. */
  deliver(link: string, count: number): void {
    const waiting = this.#network.filter((message) => linkOf(message) === link);
    assert(waiting.length > 0, `nothing waits on ${link}`);
    for (const message of waiting.slice(0, count)) this.#deliver(this.#network.indexOf(message));
  }

  drop(isDropped: (link: string) => boolean): void {
    for (const message of this.#network.filter((one) => isDropped(linkOf(one))))
      this.#say(`lost: ${messageText(message)}`);
    this.#network = this.#network.filter((one) => !isDropped(linkOf(one)));
  }

  /** The network makes another copy of the first message that waits on a link. */
  repeat(link: string): void {
    const message = this.#firstOn(link);
    this.#say(`twice: ${messageText(message)}`);
    this.#network.push({ ...message });
  }

  /** The first message that waits on a link is overtaken by all others. */
  delay(link: string): void {
    const message = this.#firstOn(link);
    this.#say(`late: ${messageText(message)}`);
    this.#network.push(...this.#network.splice(this.#network.indexOf(message), 1));
  }

  waiting(): string[] {
    return this.#network.map((message) => messageText(message));
  }

  #firstOn(link: string): ScriptMessage {
    return this.#network.find((message) => linkOf(message) === link) ?? assert.fail(`nothing waits on ${link}`);
  }

  #deliver(at: number): void {
    const [message] = this.#network.splice(at, 1);
    assert(message !== undefined, 'the message is there');
    const member = this.#member(message.to);
    if (member.core === null || this.#cut.has(linkOf(message))) {
      this.#say(`lost: ${messageText(message)}`);
      return;
    }
    if (message.kind !== 'state') member.core.step(message);
    else {
      member.received = message.state;
      member.core.snapshotArrived(message.from, message.term, message.state.mark);
    }
    this.#settle(member);
  }

  /** Has done what the core wants done, and says what that is. */
  #settle(member: SimulatedMember): void {
    const core = this.#coreOf(member.id);
    this.#sayRole(member);
    const { messages, snapshotsFor } = core.takeSends();
    for (const message of messages) this.#send(member, message);
    for (const to of snapshotsFor) {
      this.#carry({ kind: 'state', from: member.id, to, term: core.status.term, state: member.applied });
      core.snapshotEnded(to);
    }
    if (member.writing === null) this.#write(member, core);
    const { status } = core;
    this.#invariants.observe(member, status);
    for (const { entry, digest } of member.applyNext(status)) this.#invariants.applied(member, entry, digest);
  }

  #write(member: SimulatedMember, core: Core): void {
    const writes = core.takeWrites();
    if (writes === null) return;
    member.writing = { writes, dueAt: 0 };
    const what = writesText(writes);
    const isSlow = this.#slowDisks.has(member.id);
    if (what !== '') this.#say(`${member.id} ${isSlow ? 'begins to store' : 'stores'} ${what}`);
    if (!isSlow) this.#finishWriting(member);
  }

  #finishWriting(member: SimulatedMember): void {
    const { install, entries, afterwards } = member.finishWriting();
    if (install !== null) this.#invariants.installed(member);
    this.#invariants.stored(member, entries);
    for (const message of afterwards) this.#send(member, message);
    this.#settle(member);
  }

  #send(member: SimulatedMember, message: Outgoing<Envelope>): void {
    const sent = member.withEntries(message);
    if (sent !== null) this.#carry(sent as ScriptMessage);
  }

  #carry(message: ScriptMessage): void {
    this.#say(messageText(message));
    this.#network.push(message);
  }

  #sayRole({ id, core }: SimulatedMember): void {
    assert(core !== null, `${id} runs`);
    const role = roleText(core.status);
    if (this.#roles.get(id) !== role) this.#say(`${id} is ${role}`);
    this.#roles.set(id, role);
    const { committed } = core.status;
    if (this.#committed.get(id) !== committed) this.#say(`${id} has committed ${committed}`);
    this.#committed.set(id, committed);
  }

  #say(line: string): void {
    this.#lines.push(line);
  }

  #member(id: MemberId): SimulatedMember {
    return this.#members.get(id) ?? assert.fail(`${id} is no member`);
  }

  #running(id: MemberId): SimulatedMember {
    const member = this.#member(id);
    assert(member.core !== null, `${id} runs`);
    return member;
  }

  #coreOf(id: MemberId): Core {
    return this.#running(id).core ?? assert.fail(`${id} runs`);
  }
}

function linkOf({ from, to }: Envelope): string {
  return `${from}>${to}`;
}
