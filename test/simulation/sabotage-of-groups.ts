// Metaservers of a group that break its rules.
import { Buffer } from 'node:buffer';
import { decodeChanges, encodeChanges } from '../../src/metaserver/storage/batch.js';
import { PROGRESS_KEY } from '../../src/metaserver/storage/progress.js';
import { WholeStates } from '../../src/metaserver/storage/whole-states.js';
import { GroupLeadership } from '../../src/replication/group/leadership.js';
import { GroupMember } from '../../src/replication/member/group-member.js';
import type { Sabotage } from './cluster-shape.js';
import { instead } from './replaced-members.js';

const METASERVERS = 3;

async function* withoutSomeRows(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    const rows = [...decodeChanges(Buffer.from(chunk))];
    yield encodeChanges(new Map(rows.filter(([key], at) => key === PROGRESS_KEY || at % 3 !== 0)));
  }
}

export const SABOTAGES_OF_GROUPS: Readonly<Record<string, Sabotage>> = {
  'a leader that answers before a quorum has stored it': {
    metaservers: METASERVERS,
    replace: instead(GroupMember, (real) => ({
      async propose(data) {
        real.propose.call(this, data).catch(() => {});
      },
    })),
  },
  'metaservers that answer without leading': {
    metaservers: METASERVERS,
    replace: instead(GroupLeadership, () => ({
      get isServing() {
        return true;
      },
      get isCertain() {
        return true;
      },
    })),
  },
  'a state that is taken in without some of its rows': {
    seed: 59,
    metaservers: METASERVERS,
    replace: instead(WholeStates, (real) => ({
      receive(mark, chunks) {
        return real.receive.call(this, mark, withoutSomeRows(chunks));
      },
    })),
  },
};
