// Where the servers of a group are: the configuration counts, and the group adds what it lacks.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Roster } from '../../../src/metaserver/group/roster.js';
import { MemoryStore } from '../../../src/metaserver/storage/memory-engine.js';
import { METASERVERS_KEY } from '../../../src/namespace/state/keys.js';
import type { ServerPlace } from '../../../src/protocol/services/group.js';
import { ManualClock } from '../../support/manual-clock.js';
import { memoryPlaces, TestMetaserver } from './harness.js';

const META4 = { name: 'meta4', address: 'four:1' };

describe('the roster of a group', () => {
  let clock: ManualClock;
  let store: MemoryStore;
  /** As that of a database whose rows others are taking the place of. */
  let isReadable: boolean;
  let told: (readonly ServerPlace[])[];
  let roster: Roster;

  beforeEach(() => {
    clock = new ManualClock();
    store = new MemoryStore();
    isReadable = true;
    told = [];
    roster = new Roster({
      configured: [{ name: 'meta1', address: 'one:1' }],
      storage: {
        get isReadable() {
          return isReadable;
        },
        get: (key) => {
          if (!isReadable) throw new Error('it is being opened anew');
          return store.get(key);
        },
      },
      added: (servers) => told.push(servers),
      clock,
    });
  });

  afterEach(() => {
    roster.close();
    assert.equal(clock.pending, 0);
  });

  /** As the metaserver that leads keeps them. */
  async function keep(change: (meta: TestMetaserver) => Promise<unknown>): Promise<void> {
    const place = memoryPlaces.make();
    const meta = await TestMetaserver.open(place.factory);
    await change(meta);
    await meta.close();
    const storage = await place.factory('', meta.runtime);
    const row = storage.get(METASERVERS_KEY);
    await storage.close();
    if (row !== undefined) store.change(new Map([[METASERVERS_KEY, row]]));
  }

  it('tells of servers that were added, once for each change', async () => {
    assert.deepEqual(roster.placesOf(['meta1', 'meta4']), [{ name: 'meta1', address: 'one:1' }]);
    await keep((meta) => meta.do('addMetaserver', META4, true));
    await clock.advance(2000);
    assert.deepEqual(told, [[META4]]);
    assert.deepEqual(roster.placesOf(['meta1', 'meta4']), [{ name: 'meta1', address: 'one:1' }, META4]);
  });

  it('waits while the rows can not be read', async () => {
    await keep((meta) => meta.do('addMetaserver', META4, true));
    isReadable = false;
    await clock.advance(1000);
    assert.deepEqual(told, []);
    isReadable = true;
    await clock.advance(1000);
    assert.deepEqual(told, [[META4]]);
  });

  it('has a server that is added anew where it is now, and none that was dropped', async () => {
    await keep(async (meta) => {
      await meta.do('addMetaserver', { ...META4, address: 'elsewhere:1' }, true);
      await meta.do('addMetaserver', { name: 'meta5', address: 'five:1' }, true);
      await meta.do('addMetaserver', META4, true);
      await meta.do('dropMetaserver', { name: 'meta5' }, true);
      await meta.do('dropMetaserver', { name: 'meta6' }, true);
    });
    await clock.advance(1000);
    assert.deepEqual(told, [[META4]]);
  });

  it('believes the configuration more', async () => {
    await keep((meta) => meta.do('addMetaserver', { name: 'meta1', address: 'stale:1' }, true));
    await clock.advance(1000);
    assert.deepEqual(roster.placesOf(['meta1']), [{ name: 'meta1', address: 'one:1' }]);
  });
});
