// Members with real logs on disks in memory and a network in memory, in virtual time.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Entry, Mark } from '../../../src/replication/core/core.js';
import { type MemberId, type Members, withLearner, withVoter } from '../../../src/replication/core/members.js';
import { Raft } from '../../../src/replication/core/raft/raft.js';
import { Viewstamped } from '../../../src/replication/core/viewstamped/viewstamped.js';
import { ReplicationLog } from '../../../src/replication/log/replication-log.js';
import { GroupMember } from '../../../src/replication/member/group-member.js';
import type { ReceivedState, StateMachine, States } from '../../../src/replication/member/state-machine.js';
import type { Message } from '../../../src/replication/member/transport.js';
import { silentLog } from '../../../src/runtime/log.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { SeededRandom } from '../../simulation/world/seeded-random.js';
import { MemoryDisk } from '../../support/memory-disk.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const TICK_MS = 25;
const ELECTION_TICKS = 12;
const LOG = { segmentBytes: 16_384, cacheBytes: 1000 };

/** All that was applied, in order. It is stored when it is told to be. */
class ListState implements StateMachine, States {
  applied: Mark;
  words: string[] = [];
  stored: { mark: Mark; words: string[] };

  constructor(mark: Mark) {
    this.applied = mark;
    this.stored = { mark, words: [] };
  }

  apply(entries: readonly Entry[]): void {
    for (const { index, term, content } of entries) {
      assert.equal(index, this.applied.index + 1);
      if (content.kind === 'data') this.words.push(Buffer.from(content.data as Uint8Array).toString());
      const members = content.kind === 'members' ? content.members : this.applied.members;
      this.applied = { index, term, members };
    }
  }

  store(): void {
    this.stored = { mark: this.applied, words: [...this.words] };
  }

  restart(): void {
    this.applied = this.stored.mark;
    this.words = [...this.stored.words];
  }

  snapshot() {
    const { applied: mark, words } = this;
    const text = JSON.stringify(words);
    async function* chunks() {
      yield Buffer.from(text.slice(0, 10));
      yield Buffer.from(text.slice(10));
    }
    return { mark, chunks: chunks() };
  }

  async receive(mark: Mark, chunks: AsyncIterable<Uint8Array>): Promise<ReceivedState> {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    const words = JSON.parse(Buffer.concat(parts).toString()) as string[];
    let isOver = false;
    return {
      mark,
      install: async () => {
        assert(!isOver, 'what is installed was not discarded');
        await new Promise((resolve) => setImmediate(resolve));
        assert(!isOver, 'nothing is discarded while it is installed');
        isOver = true;
        this.stored = { mark, words };
        this.restart();
      },
      discard: async () => {
        isOver = true;
      },
    };
  }
}

class Server {
  readonly disk = new MemoryDisk();
  readonly state: ListState;
  member: GroupMember | null = null;
  log: ReplicationLog | null = null;
  failures = 0;

  readonly id: MemberId;
  readonly #group: Group;

  constructor(id: MemberId, members: Members, group: Group) {
    this.id = id;
    this.#group = group;
    this.state = new ListState({ index: 0, term: 0, members });
  }

  async start(): Promise<void> {
    const { clock, random } = this.#group;
    this.state.restart();
    const runtime: Runtime = { clock, random, log: silentLog, disk: this.disk.mount(), network: undefined as never };
    this.log = await ReplicationLog.open('/log', this.state.applied, { ...LOG, owner: this.id }, runtime);
    const core = new this.#group.Protocol(
      {
        self: this.id,
        electionTicks: ELECTION_TICKS,
        heartbeatTicks: 2,
        maximumAppendBytes: 1000,
        maximumInFlight: 8,
        fraction: () => random.fraction(),
      },
      this.log.stored,
    );
    this.member = new GroupMember({
      core,
      log: this.log,
      state: this.state,
      states: this.state,
      transport: {
        send: (message) => this.#group.carry(message),
        sendState: async (to, term, mark, chunks) => {
          const other = this.#group.reach(this.id, to);
          if (other === undefined) throw new Error('cut off');
          await other.receiveState(this.id, term, mark, chunks);
        },
      },
      runtime,
      events: {
        servingChanged: (isServing) => assert.equal(this.member?.isServing, isServing, 'whoever is told asks at once'),
        applied: () => {},
        failed: () => void this.failures++,
      },
      tickMs: TICK_MS,
      electionTimeoutMs: TICK_MS * ELECTION_TICKS,
    });
    this.member.start();
  }

  async stop(): Promise<void> {
    const { member, log } = this;
    this.member = null;
    await member?.stop();
    await log?.close();
  }
}

class Group {
  readonly Protocol: typeof Raft | typeof Viewstamped;
  readonly clock = new VirtualClock();
  readonly random = new SeededRandom(1);
  readonly servers = new Map<MemberId, Server>();
  readonly cut = new Set<MemberId>();
  /** They get no entries, and everything else. */
  readonly starved = new Set<MemberId>();
  /** Messages with entries that were sent, each with how often the disk of its sender was synced by then. */
  readonly appends: { entries: number; syncs: number }[] = [];

  async add(id: MemberId, voters: MemberId[]): Promise<Server> {
    const server = new Server(id, { voters, learners: [] }, this);
    this.servers.set(id, server);
    await server.start();
    return server;
  }

  constructor(Protocol: typeof Raft | typeof Viewstamped) {
    this.Protocol = Protocol;
  }

  static async of(Protocol: typeof Raft | typeof Viewstamped, ...ids: MemberId[]): Promise<Group> {
    const group = new Group(Protocol);
    for (const id of ids) await group.add(id, ids);
    return group;
  }

  reach(from: MemberId, to: MemberId): GroupMember | undefined {
    return this.cut.has(from) || this.cut.has(to) ? undefined : (this.servers.get(to)?.member ?? undefined);
  }

  carry(message: Message): void {
    // The receiver gets a copy, as over a wire.
    const copy = structuredClone(message);
    if (copy.kind === 'append' && (copy.entries?.length ?? 0) > 0) {
      this.appends.push({ entries: copy.entries?.length ?? 0, syncs: this.servers.get(copy.from)?.disk.syncs ?? 0 });
    }
    if (copy.kind === 'append' && (copy.entries?.length ?? 0) > 0 && this.starved.has(copy.to)) return;
    this.clock.after(1, () => this.reach(message.from, message.to)?.receive(copy));
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    for (let waitedMs = 0; !holds(); waitedMs += TICK_MS) {
      assert(waitedMs < 20_000, `waited for ${what}`);
      await this.clock.sleep(TICK_MS);
    }
  }

  async leader(): Promise<Server> {
    const found = () =>
      [...this.servers.values()].find(({ id, member }) => !this.cut.has(id) && member?.status.isServing);
    await this.until('a leader', () => found() !== undefined);
    return found() ?? assert.fail();
  }

  async propose(server: Server, word: string): Promise<void> {
    await server.member?.propose(Buffer.from(word));
  }

  async untilEqual(): Promise<void> {
    const running = [...this.servers.values()].filter(({ member }) => member !== null);
    const all = () => running.map(({ state }) => state.words.join());
    await this.until('equal states', () => new Set(all()).size === 1);
  }

  async close(): Promise<void> {
    for (const server of this.servers.values()) await server.stop();
  }
}

for (const [name, Protocol] of [
  ['raft', Raft],
  ['viewstamped', Viewstamped],
] as const) {
  describe(`members of a group of ${name}`, () => {
    it('alone: leads at once, and has all after a restart that its log has', async () => {
      const group = await Group.of(Protocol, 'a');
      const server = await group.leader();
      for (let number = 0; number < 100; number++) await group.propose(server, `w${number}`);
      const { words } = server.state;
      await server.stop();
      await server.start();
      await group.until('everything to be applied', () => server.state.words.length === 100);
      assert.deepEqual(server.state.words, words);
      await group.close();
    });

    it('agree, go on without a leader that has stopped, and take it back', async () => {
      const group = await Group.of(Protocol, 'a', 'b', 'c');
      const first = await group.leader();
      await Promise.all(Array.from({ length: 50 }, (_, number) => group.propose(first, `w${number}`)));
      await first.stop();
      const second = await group.leader();
      await group.propose(second, 'after');
      await first.start();
      await group.untilEqual();
      assert.equal(second.state.words.length, 51);
      await group.close();
    });

    it('send what many have proposed at once together, before they store it with one sync', async () => {
      const group = await Group.of(Protocol, 'a', 'b', 'c');
      const leader = await group.leader();
      await group.propose(leader, 'first');
      await group.untilEqual();
      const { syncs } = leader.disk;
      group.appends.length = 0;
      await Promise.all(Array.from({ length: 20 }, (_, number) => group.propose(leader, `w${number}`)));
      assert.deepEqual(group.appends, [
        { entries: 20, syncs },
        { entries: 20, syncs },
      ]);
      assert.equal(leader.disk.syncs, syncs + 1);
      await group.close();
    });

    it('have a newcomer catch up by a state and what came after it, and count it then', async () => {
      const group = await Group.of(Protocol, 'a', 'b', 'c');
      const leader = await group.leader();
      for (let number = 0; number < 300; number++) await group.propose(leader, `word ${number}`);
      for (const { state, member } of group.servers.values()) {
        state.store();
        await member?.compact(state.applied.index);
      }
      assert((leader.log?.mark.index ?? 0) > 0, 'the log was compacted');
      const blank = await group.add('d', []);
      const { members } = leader.state.applied;
      await leader.member?.changeMembers(withLearner(members, 'd'));
      await group.untilEqual();
      await leader.member?.changeMembers(withVoter(leader.state.applied.members, 'd'));
      await group.propose(leader, 'with four');
      await group.untilEqual();
      assert.deepEqual(blank.state.applied.members.voters, ['a', 'b', 'c', 'd']);
      await group.close();
    });

    it('say for how long they may lack what is committed', async () => {
      const group = await Group.of(Protocol, 'a', 'b', 'c');
      const leader = await group.leader();
      const [follower = leader] = [...group.servers.values()].filter(({ id }) => id !== leader.id);
      await group.propose(leader, 'one');
      await group.untilEqual();
      assert.equal(leader.member?.behindMs, 0);
      await group.until('the follower to keep up', () => (follower.member?.behindMs ?? 1000) <= 4 * TICK_MS);
      group.cut.add(follower.id);
      await group.clock.sleep(1000);
      assert.ok((follower.member?.behindMs ?? 0) >= 900);
      group.cut.clear();
      group.starved.add(follower.id);
      const leads = await group.leader();
      await group.propose(leads, 'two');
      const lag = () => leads.member?.lags.find(({ id }) => id === follower.id)?.ms ?? 0;
      await group.until('the leader to know', () => lag() >= 900);
      group.starved.clear();
      await group.until('the leader to know that it is over', () => lag() <= 4 * TICK_MS);
      await group.until('the follower to keep up again', () => (follower.member?.behindMs ?? 1000) <= 4 * TICK_MS);
      await group.close();
    });

    it('refuse reads and changes where no quorum is heard, and say that the outcome is unknown', async () => {
      const group = await Group.of(Protocol, 'a', 'b', 'c');
      const old = await group.leader();
      await group.propose(old, 'before');
      await old.member?.confirmLeadership();
      group.cut.add(old.id);
      const lost = group.propose(old, 'lost').then(
        () => 'done',
        (error: { code: string }) => error.code,
      );
      const next = await group.leader();
      assert.notEqual(next.id, old.id);
      assert.equal(await lost, 'OUTCOME_UNKNOWN');
      await assert.rejects(async () => old.member?.confirmLeadership(), { code: 'NOT_LEADER' });
      await assert.rejects(group.propose(old, 'more'), { code: 'NOT_LEADER' });
      await next.member?.confirmLeadership();
      group.cut.clear();
      await group.propose(next, 'after');
      await group.untilEqual();
      assert.deepEqual(old.state.words, ['before', 'after']);
      await group.close();
    });

    it('hand over when they are asked to', async () => {
      const group = await Group.of(Protocol, 'a', 'b', 'c');
      const leader = await group.leader();
      await group.propose(leader, 'one');
      const [heir] = leader.state.applied.members.voters.filter((id) => id !== leader.id);
      assert(heir !== undefined && leader.member?.transfer(heir));
      await group.until('the heir to lead', () => group.servers.get(heir)?.member?.status.isServing === true);
      await group.close();
    });

    it('stop when their log fails, and leave the lead to others', async () => {
      const group = await Group.of(Protocol, 'a', 'b', 'c');
      const leader = await group.leader();
      leader.disk.failSync = Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
      await assert.rejects(group.propose(leader, 'lost'), { code: 'OUTCOME_UNKNOWN' });
      assert.equal(leader.failures, 1);
      group.cut.add(leader.id);
      await group.propose(await group.leader(), 'goes on');
      leader.disk.failSync = null;
      await leader.stop();
      group.cut.clear();
      await leader.start();
      await group.untilEqual();
      await group.close();
    });

    it('lack what a damaged log has lost only until the others have sent it', async () => {
      const group = await Group.of(Protocol, 'a', 'b', 'c');
      const leader = await group.leader();
      const damaged = [...group.servers.values()].find(({ id }) => id !== leader.id) ?? assert.fail();
      for (let number = 0; number < 300; number++) await group.propose(leader, `word ${number}`);
      await group.untilEqual();
      await damaged.stop();
      const path = damaged.disk.paths().sort()[0] ?? assert.fail();
      const content = Buffer.from(damaged.disk.content(path));
      content.fill(0xff, 9000, 9100);
      damaged.disk.spoil(path, content);
      await damaged.start();
      assert((damaged.log?.damagedUpTo ?? 0) >= 300, 'the damage is seen');
      await group.untilEqual();
      await group.until('the log to be whole', () => damaged.log?.damagedUpTo === 0);
      await group.close();
    });
  });
}
