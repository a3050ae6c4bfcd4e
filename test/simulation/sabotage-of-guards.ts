// Guards of what destroys, each broken in the class that it is in: for a service
// that is wrong in a whole answer see sabotage.ts.
import { Catalog } from '../../src/dataserver/index/catalog.js';
import { SegmentUses } from '../../src/dataserver/index/segment-uses.js';
import { BatchWriter } from '../../src/dataserver/writing/batch-writer.js';
import { NextFiles } from '../../src/mediator/files/next-files.js';
import { HeldFiles } from '../../src/mediator/sessions/held-files.js';
import { SessionFiles } from '../../src/mediator/sessions/session-files.js';
import { SessionLocks } from '../../src/mediator/sessions/session-locks.js';
import { Orphans } from '../../src/mediator/upkeep/orphans.js';
import type { ReadResult } from '../../src/mediator/voting/read-session.js';
import { SESSION_GRACE_MS } from '../../src/protocol/services/sessions.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import type { Sabotage } from './cluster-shape.js';
import { both, instead } from './replaced-members.js';

/** A mediator that ends sessions this soon after it last began to wait for their clients, whatever it hears of them since. */
function deafSessions(runtime: Runtime): Runtime {
  const { clock } = runtime;
  return {
    ...runtime,
    clock: {
      nowNs: () => clock.nowNs(),
      monotonicMs: () => clock.monotonicMs(),
      afterTurn: (action) => clock.afterTurn(action),
      after(delayMs, action) {
        const timer = clock.after(delayMs, action);
        return delayMs === SESSION_GRACE_MS ? { cancel() {} } : timer;
      },
    },
  };
}

export const SABOTAGES_OF_GUARDS: Readonly<Record<string, Sabotage>> = {
  'a mediator that ends the session of a client that it hears of': { mediator: deafSessions },
  'a mediator that gives the locks of a session to others before it is over': {
    replace: instead(SessionLocks, (real) => ({
      set(client, lock) {
        for (const other of clientsOf.get(this) ?? []) if (other !== client) this.lapse(other);
        clientsOf.set(this, new Set([...(clientsOf.get(this) ?? []), client]));
        return real.set.call(this, client, lock);
      },
    })),
  },
  'a mediator that tells nobody that his locks were given away': {
    replace: instead(SessionLocks, (real) => ({
      takeOver(...from) {
        real.takeOver.apply(this, from);
        return [];
      },
      lostBy: () => [],
    })),
  },
  'a mediator that gives out again what it has read ahead': {
    seed: 56,
    replace: instead(NextFiles, (real) => ({
      async take(inode, entries) {
        const ahead = await real.take.call(this, inode, entries);
        const given = givenBy.get(this) ?? new Map<number, ReadResult>();
        givenBy.set(this, given);
        if (ahead !== undefined) given.set(inode, ahead);
        return ahead ?? given.get(inode);
      },
    })),
  },
  'a mediator that does not look who else has a file open': {
    replace: instead(SessionFiles, () => ({ isOpenElsewhere: () => false })),
  },
  'a mediator that purges files that are held': {
    replace: instead(HeldFiles, () => ({ mayBePurged: () => true })),
  },
  'a mediator that purges files before it is known who holds them': {
    seed: 41,
    replace: instead(Orphans, () => ({
      get graceLeftMs() {
        return 0;
      },
    })),
  },
  'a data server that takes whole segments for dead': {
    replace: instead(Catalog, () => ({
      useOf: () => ({ liveBytes: 0, tombstones: 0, oldestDeleted: Number.POSITIVE_INFINITY }),
    })),
  },
  'a data server whose compaction drops deletions that still matter': {
    seed: 16,
    replace: both(
      instead(SegmentUses, () => ({ addTombstones() {} })),
      instead(BatchWriter, (real) => ({
        submit(mutation) {
          // Of moves, those of tombstones concern no block.
          if (mutation.kind !== 'move' || mutation.blocks.length > 0) return real.submit.call(this, mutation);
          mutation.plan().then(({ done }) => done(), mutation.failed);
        },
      })),
    ),
  },
};

const clientsOf = new WeakMap<SessionLocks, ReadonlySet<string>>();
const givenBy = new WeakMap<NextFiles, Map<number, ReadResult>>();
