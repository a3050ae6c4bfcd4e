// How a group of any protocol changes its members in a network without faults, and what it refuses to change.
import assert from 'node:assert/strict';
import { it } from 'mocha';
import { type Members, withoutMember } from '../../../src/replication/core/members.js';
import { NO_FAULTS } from './faults.js';
import { ELECTION_TICKS } from './make-cores.js';
import { SimulatedGroup } from './simulated-group.js';
import type { MakeCore, SimulatedMember } from './simulated-member.js';

const SEEDS = 20;

export function membershipSuite(make: MakeCore): void {
  /** Does something with a group that has no leader yet, for some seeds. */
  function withGroups(size: number, action: (group: SimulatedGroup) => void): void {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const group = new SimulatedGroup({ seed, size, make, faults: NO_FAULTS, electionTicks: ELECTION_TICKS });
      try {
        action(group);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  }

  it('refuses a change before the leader has committed an entry of its own, and says so', () => {
    withGroups(3, (group) => {
      const leader = runUntilLed(group, false);
      const { members } = statusOf(leader);
      const refusal = 'the leader is new: an entry of its own must be committed first';
      assert.equal(propose(leader, withoutMember(members, leader.id)), refusal);
    });
  });

  it('answers no stale read when a leader leaves another one alone, which starts anew', () => {
    const faults = { ...NO_FAULTS, longestDelay: 6 };
    for (let seed = 1; seed <= 10 * SEEDS; seed++) {
      const group = new SimulatedGroup({ seed, size: 2, make, faults, electionTicks: ELECTION_TICKS });
      const leader = runUntilLed(group);
      const other = [...group.members.values()].find((member) => member !== leader) ?? assert.fail();
      const index = Number(propose(leader, withoutMember(statusOf(leader).members, leader.id)));
      while (other.entryAt(index) === undefined) group.run(1);
      other.crash();
      // Its crash may have left a part of a write.
      group.invariants.stored(other, other.entries);
      other.start();
      // What the leader answers is looked at all the while.
      group.run(2 * ELECTION_TICKS);
      const { committed } = group.invariants;
      group.propose(other);
      group.run(ELECTION_TICKS);
      assert(group.invariants.committed > committed, `seed ${seed}: the other leads in the end`);
    }
  });

  it('refuses to remove the last voter', () => {
    withGroups(1, (group) => {
      const leader = runUntilLed(group);
      assert.equal(propose(leader, { voters: [], learners: [] }), 'no voter would be left');
    });
  });

  for (const size of [2, 3, 4, 5]) {
    it(`has one of ${size} members that is removed lead until that is committed, and another at once`, () => {
      withGroups(size, (group) => {
        const leader = runUntilLed(group);
        const index = propose(leader, withoutMember(statusOf(leader).members, leader.id));
        assert.equal(typeof index, 'number');
        while (statusOf(leader).role === 'leader') {
          assert(statusOf(leader).committed < Number(index), 'it leads until its removal is committed');
          group.run(1);
        }
        assert(statusOf(leader).committed >= Number(index), 'it leads until its removal is committed');
        // Of the shortest time after which anybody would miss a leader, most is left.
        group.run(ELECTION_TICKS - 3);
        const next = group.leader;
        assert(next !== undefined && next !== leader, 'another leads');
        assert.equal(statusOf(leader).role, 'learner');
        assert(group.propose(next) !== null, 'the other takes proposals');
        const { committed } = group.invariants;
        group.run(ELECTION_TICKS);
        assert(group.invariants.committed > committed, 'the others commit');
        assert.equal(group.current.length, size - 1);
      });
    });
  }
}

function runUntilLed(group: SimulatedGroup, isServing = true): SimulatedMember {
  for (let units = 0; units < 20 * ELECTION_TICKS; units++) {
    const { leader } = group;
    if (leader?.core?.status.isServing === isServing) return leader;
    group.run(1);
  }
  return assert.fail('the group has a leader');
}

function statusOf(member: SimulatedMember) {
  return member.core?.status ?? assert.fail(`${member.id} runs`);
}

function propose(leader: SimulatedMember, members: Members): number | string {
  return leader.core?.proposeMembers(members) ?? assert.fail(`${leader.id} runs`);
}
