// How a store comes to follow a log in etcd, and which ones must not.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { EtcdError } from '../../../../src/metaserver/etcd/etcd-error.js';
import { findLog } from '../../../../src/metaserver/etcd/founding.js';
import { groupEngine, readProgress, settleAlone } from '../../../../src/metaserver/storage/group-engine.js';
import { MemoryStore, memoryEngine } from '../../../../src/metaserver/storage/memory-engine.js';
import {
  encodeProgress,
  etcdMemberId,
  PROGRESS_KEY,
  type Progress,
} from '../../../../src/metaserver/storage/progress.js';
import { MemoryDisk } from '../../../support/memory-disk.js';
import { changes, EtcdWorld, LOG_ID, PREFIX } from './harness.js';

/** Longer than the first questions take, and far less than it is waited for. */
const AWAY_MS = 5000;

class Place {
  readonly world = new EtcdWorld(['meta1']);
  readonly store = new MemoryStore();
  readonly #disk = new MemoryDisk();
  troubles: (string | null)[] = [];
  mayFound = false;

  constructor(hasLog: boolean) {
    if (!hasLog) this.world.etcd.remove(PREFIX);
  }

  get #runtime() {
    return { ...this.world.runtime('meta1'), disk: this.#disk.mount() };
  }

  /** A lone metaserver under raft writes, and dies. */
  async useAlone(rows: Record<string, string>): Promise<void> {
    const storage = await groupEngine(memoryEngine(this.store))('/store', this.#runtime);
    await storage.write(changes(rows));
    // What its database has not yet is in its log only.
    assert.equal(this.store.get(Object.keys(rows)[0] ?? ''), undefined);
    this.store.crash();
  }

  note(progress: Progress): void {
    this.store.change(new Map([[PROGRESS_KEY, encodeProgress(progress)]]));
  }

  /** Its database has everything that its own log has, as where founding was interrupted. */
  async settle(): Promise<Progress> {
    const base = await memoryEngine(this.store)('/store', this.#runtime);
    const progress = (await readProgress('/store', base, 'meta1', this.#runtime)) ?? assert.fail();
    return settleAlone('/store', base, progress, this.#runtime);
  }

  async start(): Promise<Progress | undefined> {
    const runtime = this.#runtime;
    const base = await memoryEngine(this.store)('/store', runtime);
    const progress = await readProgress('/store', base, 'meta1', runtime);
    const found = findLog({
      ...{ name: 'meta1', cluster: 'test', directory: '/store', prefix: PREFIX, base, progress, runtime },
      log: this.world.log(runtime),
      mayFound: () => this.mayFound,
      isClosed: () => this.world.nowMs > 60_000,
      noteTrouble: (error) => void this.troubles.push(error?.message ?? null),
    });
    let isDone = false;
    found.then(
      () => {
        isDone = true;
      },
      () => {
        isDone = true;
      },
    );
    await this.world.until(() => isDone, 70_000);
    return found;
  }

  get cluster(): { id: string; founder: string } {
    return JSON.parse(this.world.etcd.get(`${PREFIX}/state/cluster`) ?? assert.fail('there is no log'));
  }

  get headIndex(): number {
    return JSON.parse(this.world.etcd.get(`${PREFIX}/state/head`) ?? '{}').index;
  }
}

describe('a store and a log in etcd', function () {
  this.timeout(20_000);

  it('an empty one follows the log', async () => {
    const place = new Place(true);
    const progress = await place.start();
    assert.equal(progress?.self, etcdMemberId('meta1', LOG_ID));
    assert.equal(progress.mark.index, 0);
    assert.deepEqual(await place.start(), progress, 'and the same after another start');
  });

  it('an empty one begins a log once it may, and waits before', async () => {
    const place = new Place(false);
    assert.equal(await place.start(), undefined);
    place.world.nowMs = 0;
    place.mayFound = true;
    const progress = await place.start();
    assert.equal(progress?.self, etcdMemberId('meta1', place.cluster.id));
    assert.equal(place.headIndex, 0);
  });

  it('one with names goes on in an empty etcd, with what only its own log had', async () => {
    const place = new Place(false);
    await place.useAlone({ a: '1' });
    const progress = await place.start();
    assert.equal(progress?.mark.index, 1, 'a blank store lacks an entry, and gets the whole state');
    assert.equal(place.headIndex, 1);
    assert.notEqual(progress.digest, 0n);
    assert.equal(Buffer.from(place.store.get('a') ?? '').toString(), '1');
  });

  it('one that had begun a log, and was interrupted, goes on', async () => {
    const place = new Place(false);
    await place.useAlone({ a: '1' });
    const alone = await place.settle();
    const first = await place.start();
    place.note(alone);
    // It went on alone meanwhile, and its own log has more than its database.
    await place.useAlone({ b: '2' });
    assert.deepEqual((await place.start())?.self, first?.self);
    assert.equal(Buffer.from(place.store.get('a') ?? '').toString(), '1');
    assert.equal(Buffer.from(place.store.get('b') ?? '').toString(), '2');
  });

  const refused: [what: string, hasLog: boolean, prepare: (place: Place) => unknown, says: RegExp][] = [
    [
      'with names of its own',
      true,
      (place) => place.useAlone({ a: '1' }),
      /has names of its own, and etcd has the log/,
    ],
    [
      'of another log',
      true,
      (place) => place.note(progressOf(etcdMemberId('meta1', 'other'))),
      /follows log other: is this another etcd\?/,
    ],
    [
      'whose log is gone',
      false,
      (place) => place.note(progressOf(etcdMemberId('meta1', LOG_ID))),
      /etcd has no log under \/test, and the store in \/store follows log/,
    ],
    [
      'of a group',
      false,
      (place) => place.note(progressOf('meta1/0', ['meta1/0', 'meta2/0'])),
      /belongs to a group with others \(meta2\/0\)/,
    ],
    [
      'of another cluster',
      true,
      (place) =>
        place.world.etcd.put(`${PREFIX}/state/cluster`, JSON.stringify({ id: LOG_ID, cluster: 'theirs', founder: '' })),
      /is that of cluster "theirs", not of "test"/,
    ],
  ];
  for (const [what, hasLog, prepare, says] of refused) {
    it(`one ${what} is refused, and stays as it is`, async () => {
      const place = new Place(hasLog);
      await prepare(place);
      const before = place.store.get(PROGRESS_KEY);
      await assert.rejects(place.start(), (error: EtcdError) => {
        assert.match(error.message, says);
        return error.trouble === 'refused';
      });
      assert.deepEqual(place.store.get(PROGRESS_KEY), before);
    });
  }

  it('one waits while etcd is away, and says so once', async () => {
    const place = new Place(true);
    place.world.etcd.isAway = true;
    place.world.runtime('meta1').clock.after(AWAY_MS, () => {
      place.world.etcd.isAway = false;
    });
    assert.notEqual(await place.start(), undefined);
    assert.match(place.troubles[0] ?? '', /ECONNREFUSED/);
    assert.equal(place.troubles.at(-1), null);
  });

  it('one does not take keys of others for a log', async () => {
    const place = new Place(true);
    place.world.etcd.put(`${PREFIX}/state/head`, 'something else');
    assert.equal(await place.start(), undefined);
    assert.match(place.troubles[0] ?? '', /the key \/test\/state\/head of etcd is none of nmrfs/);
  });
});

function progressOf(self: string, voters: string[] = []): Progress {
  return { self, mark: { index: 5, term: 1, members: { voters, learners: [] } }, digest: 7n };
}
