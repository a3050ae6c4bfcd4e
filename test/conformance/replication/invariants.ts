// What must hold in every group, at every moment: the invariants of figure 3 of the Raft paper, in the words of any protocol.
import assert from 'node:assert/strict';
import type { CoreStatus, Entry } from '../../../src/replication/core/core.js';
import { type MemberId, majority } from '../../../src/replication/core/members.js';
import { digestOf, type SimulatedMember } from './simulated-member.js';

export class Invariants {
  readonly #leaders = new Map<number, MemberId>();
  /** What was applied at each index, wherever it was first. */
  readonly #history: { digest: string; entry: Entry }[] = [];
  /** Who has ever stored the entry of an index and a term. */
  readonly #holders = new Map<string, Set<MemberId>>();
  /** What each entry of an index and a term holds, and comes after. */
  readonly #contents = new Map<string, string>();
  /** The highest index that any leader has said is committed, and the highest that the leader of each term has. */
  #committed = 0;
  readonly #committedIn = new Map<number, number>();

  get committed(): number {
    return this.#committed;
  }

  get leadersSeen(): number {
    return this.#leaders.size;
  }

  /** After each step of a member. */
  observe(member: SimulatedMember, status: CoreStatus): void {
    if (status.role !== 'leader') return;
    const other = this.#leaders.get(status.term);
    assert(
      other === undefined || other === member.id,
      `election safety: ${other} and ${member.id} lead term ${status.term}`,
    );
    if (other === undefined) {
      this.#leaders.set(status.term, member.id);
      // Of what later terms have committed it knows nothing: it may hear late that it was elected, and commits nothing then.
      const before = Math.max(0, ...[...this.#committedIn].map(([term, index]) => (term < status.term ? index : 0)));
      const message = `leader completeness: ${member.id} leads term ${status.term} with ${status.lastIndex} of ${before}`;
      assert(status.lastIndex > before, message);
    }
    this.#committedIn.set(status.term, status.committed);
    if (status.committed <= this.#committed) return;
    this.#committed = status.committed;
    // Of an earlier term when the last leader has committed it and handed over in the same moment.
    const index = status.committed;
    const { term } = member.core?.unstored(index) ?? member.entryAt(index) ?? member.base.mark;
    const holders = this.#holders.get(`${status.committed}/${term}`) ?? new Set();
    const { members } = status;
    const held = members.voters.filter((voter) => holders.has(voter)).length;
    const needed = majority(members);
    // The change that removes a leader, or adds a voter, counts for the voters of the change.
    assert(held >= needed, `durability: ${status.committed} is committed and stored by ${held} of ${needed} voters`);
  }

  stored(member: SimulatedMember, entries: readonly Entry[]): void {
    for (const entry of entries) {
      const key = `${entry.index}/${entry.term}`;
      const holders = this.#holders.get(key);
      if (holders === undefined) this.#holders.set(key, new Set([member.id]));
      else holders.add(member.id);
      const before = member.entryAt(entry.index - 1);
      if (before === undefined) continue;
      const content = digestOf(String(before.term), entry);
      const known = this.#contents.get(key);
      assert(known === undefined || known === content, `log matching: ${key} at ${member.id}`);
      this.#contents.set(key, content);
    }
  }

  applied(member: SimulatedMember, entry: Entry, digest: string): void {
    const known = this.#history[entry.index];
    if (known === undefined) this.#history[entry.index] = { digest, entry };
    else assert.equal(digest, known.digest, `state machine safety: ${member.id} at ${entry.index}`);
  }

  installed(member: SimulatedMember): void {
    const { index } = member.applied.mark;
    assert.equal(member.applied.digest, this.#history[index]?.digest ?? '', `snapshots: ${member.id} at ${index}`);
  }

  /** A leader answers a read. */
  read(member: SimulatedMember): void {
    const seen = member.core?.status.committed ?? 0;
    assert(seen >= this.#committed, `reads: ${member.id} answers with ${seen} of ${this.#committed}`);
  }
}
