// When commands reach the disk, and what happens when they can't.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { DISK_RETRY_MS } from '../../../src/metaserver/disk-health.js';
import { MemoryStore, memoryEngine } from '../../../src/metaserver/storage/memory-engine.js';
import { HISTORY_KEY } from '../../../src/namespace/state/keys.js';
import type { LogFields } from '../../../src/runtime/log.js';
import { silentLog } from '../../../src/runtime/log.js';
import { codeOf, makeRequest, memoryPlaces, ROOT, TestMetaserver, TestRuntime, withPlace } from './harness.js';

/** Some turns of the event loop: enough for a commit without delay. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
}

/** A place that counts its writes, and fails them or holds them up while told so. */
class Disk {
  readonly store = new MemoryStore();
  writes = 0;
  state: 'good' | 'failing' | 'stuck' = 'good';
  #release: (() => void) | null = null;

  readonly factory = memoryEngine(this.store, {
    commitDelay: async () => {
      this.writes++;
      if (this.state === 'stuck') {
        await new Promise<void>((resolve) => {
          this.#release = resolve;
        });
      }
      if (this.state === 'failing') throw new Error('input/output error');
    },
  });

  release(state: 'good' | 'failing' = 'good'): void {
    this.state = state;
    this.#release?.();
  }
}

function recordingRuntime(): { runtime: TestRuntime; events: [string, LogFields | undefined][] } {
  const events: [string, LogFields | undefined][] = [];
  const error = (event: string, fields?: LogFields) => events.push([event, fields]);
  return { runtime: new TestRuntime({ ...silentLog, error }), events };
}

describe('commits of a metaserver', () => {
  it('that fail at a close are told to whoever closes it', async () => {
    const disk = new Disk();
    const meta = await TestMetaserver.open(disk.factory);
    await meta.make(ROOT, 'a');
    disk.state = 'failing';
    await assert.rejects(meta.close(), /the metaserver's disk failed/);
  });

  it('that fail for a mediator that takes over leave syncs as they were, since nothing was answered', async () => {
    const disk = new Disk();
    const meta = await TestMetaserver.open(disk.factory);
    disk.state = 'failing';
    const takeOver = { name: 'mediator', process: 'one', seen: 0, afterSilentMs: 0 };
    assert.equal(await codeOf(meta.do('takeOver', takeOver, true)), 'OUTCOME_UNKNOWN');
    assert.equal((await meta.ask('mediator', {})).process, 'one');
    await meta.service.sync({});
    disk.state = 'good';
    await meta.close();
  });

  it('come after the interval when nobody asks, and not without a change', async () => {
    const disk = new Disk();
    const meta = await TestMetaserver.open(disk.factory);
    const atStart = disk.writes;
    await meta.make(ROOT, 'a');
    await meta.make(ROOT, 'b');
    meta.runtime.advance(49);
    await turns();
    assert.equal(disk.writes, atStart);
    meta.runtime.advance(1);
    await turns();
    assert.equal(disk.writes, atStart + 1);
    assert.equal(meta.runtime.pendingTimers, 0);
    await meta.close();
  });

  it('are shared by all who wait', async () => {
    const disk = new Disk();
    const meta = await TestMetaserver.open(disk.factory);
    const atStart = disk.writes;
    const make = (n: number) => meta.do('make', makeRequest(ROOT, `name${n}`), true);
    await Promise.all([1, 2, 3, 4, 5].map(make));
    assert.equal(disk.writes, atStart + 1);
    disk.state = 'stuck';
    const first = make(6);
    await turns();
    const others = [7, 8, 9].map(make);
    await turns();
    disk.release();
    await Promise.all([first, ...others]);
    assert.equal(disk.writes, atStart + 3);
    await meta.close();
  });

  it('do not hold up commands and queries while they are under way', async () => {
    const disk = new Disk();
    const meta = await TestMetaserver.open(disk.factory);
    disk.state = 'stuck';
    let isDurable = false;
    const durable = meta.do('make', makeRequest(ROOT, 'a'), true).then(() => {
      isDurable = true;
    });
    await turns();
    const { inode } = await meta.make(ROOT, 'b');
    await meta.do('unlink', { parent: ROOT, name: 'a', held: [] });
    assert.deepEqual(await meta.names(ROOT), ['b']);
    assert.equal((await meta.attributes(inode)).links, 1);
    assert.equal(isDurable, false);
    disk.release();
    await durable;
    assert.deepEqual(await meta.names(ROOT), ['b']);
    await meta.close();
  });

  it('that fail tell those who wait, lose nothing, and are tried again', async () => {
    const disk = new Disk();
    const { runtime, events } = recordingRuntime();
    const meta = await TestMetaserver.open(disk.factory, runtime);
    disk.state = 'failing';
    assert.equal(await codeOf(meta.do('make', makeRequest(ROOT, 'a'), true)), 'OUTCOME_UNKNOWN');
    assert.equal(events[0]?.[0], 'metadata.commit_failed');
    assert.equal(await codeOf(meta.make(ROOT, 'b')), 'EIO');
    assert.deepEqual(await meta.names(ROOT), ['a']);
    assert.equal(await codeOf(meta.service.sync({})), 'OUTCOME_UNKNOWN');
    disk.state = 'good';
    runtime.advance(DISK_RETRY_MS);
    await turns();
    disk.store.crash();
    const again = await TestMetaserver.open(disk.factory);
    assert.deepEqual(await again.names(ROOT), ['a']);
    await again.close();
  });

  /** The disk holds a write up, and the next command has to wait for room in memory. */
  async function untilFull() {
    const disk = new Disk();
    const { runtime } = recordingRuntime();
    const meta = await TestMetaserver.open(disk.factory, runtime);
    disk.state = 'stuck';
    let waiting = 0;
    for (let n = 0; n < 40_000 && waiting === 0; n++) {
      let isAnswered = false;
      const made = meta.make(ROOT, `n${n}`).then(() => {
        isAnswered = true;
      });
      made.catch(() => {});
      await turns();
      if (!isAnswered) waiting = n;
    }
    return { disk, meta, runtime, waiting };
  }

  it('that take for ever do not let memory grow for ever', async () => {
    const { disk, meta, waiting } = await untilFull();
    assert.ok(waiting > 1000);
    assert.equal(await codeOf(meta.ask('lookup', { parent: ROOT, name: `n${waiting}` })), 'ENOENT');
    disk.release();
    await meta.make(ROOT, 'fits again');
    await meta.close();
  });

  it('let nobody overtake a command that waits for them', async () => {
    const { disk, meta } = await untilFull();
    disk.state = 'stuck';
    const waiting = meta.make(ROOT, 'x');
    await turns();
    // What is being written is out of the way by now.
    const later = meta.do('unlink', { parent: ROOT, name: 'x', held: [] });
    await turns();
    disk.release();
    await Promise.all([waiting, later]);
    assert.equal(await codeOf(meta.ask('lookup', { parent: ROOT, name: 'x' })), 'ENOENT');
    await meta.make(ROOT, 'y');
    await meta.close();
  });

  it('that somebody asks for come after the commands that wait', async () => {
    const { disk, meta } = await untilFull();
    disk.state = 'stuck';
    const order: string[] = [];
    const waiting = ['x', 'y'].map((name) => meta.make(ROOT, name).then(() => order.push(name)));
    const synced = meta.service.sync({}).then(() => order.push('sync'));
    await turns();
    disk.release();
    await Promise.all([...waiting, synced]);
    assert.deepEqual(order, ['x', 'y', 'sync']);
    await meta.close();
  });

  it('that fail refuse each command that waits, and none for ever', async () => {
    const { disk, meta, runtime } = await untilFull();
    const tried = disk.writes;
    const refused = ['x', 'y', 'z'].map((name) => codeOf(meta.make(ROOT, name)));
    disk.release('failing');
    assert.deepEqual(await Promise.all(refused), ['EIO', 'EIO', 'EIO']);
    assert.equal(disk.writes, tried + 1, 'once for all of them');
    assert.equal(await codeOf(meta.make(ROOT, 'later')), 'EIO');
    assert.equal(disk.writes, tried + 1, 'not at once again');
    disk.state = 'good';
    runtime.advance(DISK_RETRY_MS);
    await meta.make(ROOT, 'x');
    await meta.close();
  });

  it('that fail refuse nothing that a mediator has answered, which is carried out in its turn', async () => {
    const { disk, meta, runtime } = await untilFull();
    const answered = (name: string, sequence: number) => executeAnswered(meta, name, sequence);
    const refused = codeOf(meta.make(ROOT, 'x'));
    const both = [answered('a', 1), answered('b', 2)];
    const listed = meta.names(ROOT);
    // These show nothing of names.
    await meta.ask('health', { limit: 1 });
    await meta.ask('mediator', {});
    disk.release('failing');
    assert.equal(await refused, 'EIO');
    assert.deepEqual(await Promise.all(both), Array(2).fill({ refused: [], takesChanges: false, hasRoom: false }));
    const names = await listed;
    assert.deepEqual([names.includes('a'), names.includes('b'), names.includes('x')], [true, true, false]);
    disk.state = 'good';
    runtime.advance(DISK_RETRY_MS);
    await meta.close();
  });

  it('precede the answer of allocate, whoever asks', async () => {
    const disk = new Disk();
    const meta = await TestMetaserver.open(disk.factory);
    disk.state = 'stuck';
    let isAnswered = false;
    const allocated = meta.do('allocate', { count: 1 }, false).then(() => {
      isAnswered = true;
    });
    await turns();
    assert.equal(isAnswered, false);
    disk.release();
    await allocated;
    await meta.close();
  });

  it('are done when it is closed, and nothing is answered after', () =>
    withPlace(memoryPlaces, async (place) => {
      const meta = await TestMetaserver.open(place.factory);
      await meta.make(ROOT, 'a');
      await Promise.all([meta.close(), meta.close()]);
      assert.equal(meta.runtime.pendingTimers, 0);
      assert.equal(await codeOf(meta.make(ROOT, 'b')), 'CLOSING');
      assert.equal(await codeOf(meta.ask('statistics', {})), 'CLOSING');
      assert.equal(await codeOf(meta.service.sync({})), 'CLOSING');
    }));
});

/** A file that a mediator has said is made. */
function executeAnswered(meta: TestMetaserver, name: string, sequence: number) {
  const id: [string, number, number] = ['mediator', 0, sequence];
  const command = { name: 'make', timeNs: 1n, request: makeRequest(ROOT, name), id } as const;
  return meta.server.executeAll({ commands: [command] });
}

/** From an orderly start to an orderly close. */
async function historyOf(store: MemoryStore, runtime: TestRuntime): Promise<string> {
  const meta = await TestMetaserver.open(memoryEngine(store), runtime);
  const { history } = await meta.ask('statistics', {});
  await meta.close();
  return history;
}

describe('a metaserver', () => {
  it('carries out no answered command before which another is missing, until that is there', () =>
    withPlace(memoryPlaces, async ({ factory }) => {
      const meta = await TestMetaserver.open(factory);
      await executeAnswered(meta, 'a', 1);
      assert.equal(await codeOf(executeAnswered(meta, 'c', 3)), 'REFUSED');
      await executeAnswered(meta, 'b', 2);
      await executeAnswered(meta, 'c', 3);
      assert.deepEqual((await meta.names(ROOT)).sort(), ['a', 'b', 'c']);
      await meta.close();
    }));

  it('offers strangers nothing but the methods of its service', () =>
    withPlace(memoryPlaces, async (place) => {
      const meta = await TestMetaserver.open(place.factory);
      assert.deepEqual(Object.keys(meta.service).sort(), ['execute', 'executeAll', 'query', 'sync']);
      assert.equal(Object.getPrototypeOf(meta.service), Object.prototype);
      await meta.close();
    }));

  it('tells in its metrics what it was asked and how much it holds', () =>
    withPlace(memoryPlaces, async (place) => {
      const meta = await TestMetaserver.open(place.factory);
      await meta.make(ROOT, 'a');
      await codeOf(meta.make(ROOT, 'a'));
      await meta.ask('attributes', { inode: ROOT });
      await meta.service.sync({});
      const text = await meta.metrics();
      for (const line of [
        'nmrfs_metadata_commands_total{command="make",outcome="done"} 1',
        'nmrfs_metadata_commands_total{command="make",outcome="refused"} 1',
        'nmrfs_metadata_queries_total{query="attributes"} 1',
        'nmrfs_metadata_commit_wait_seconds_count 1',
        'nmrfs_metadata_inodes 2',
        'nmrfs_metadata_uncommitted_rows 0',
      ]) {
        assert.ok(text.includes(`${line}\n`), `${line} in\n${text}`);
      }
      await meta.close();
    }));

  it('has stored the name of its history before it answers', async () => {
    const disk = new Disk();
    const meta = await TestMetaserver.open(disk.factory);
    const stored = disk.store.get(HISTORY_KEY);
    assert.equal((await meta.ask('statistics', {})).history, Buffer.from(stored ?? []).toString());
    await meta.close();
  });

  it('has another history in every namespace', async () => {
    const runtime = new TestRuntime();
    assert.notEqual(await historyOf(new MemoryStore(), runtime), await historyOf(new MemoryStore(), runtime));
  });

  it('gives a history, once, to a namespace that was closed before there were histories', async () => {
    const store = new MemoryStore();
    const runtime = new TestRuntime();
    const first = await historyOf(store, runtime);
    store.change(new Map([[HISTORY_KEY, null]]));
    const second = await historyOf(store, runtime);
    assert.match(second, /^[0-9a-f]{16}$/);
    assert.notEqual(second, first);
    assert.equal(await historyOf(store, runtime), second);
  });

  it('makes its cluster id from the randomness that it is given', async () => {
    const ids = await Promise.all(
      [1, 2].map(async () => {
        const meta = await TestMetaserver.open(memoryEngine(new MemoryStore()));
        const { clusterId } = await meta.ask('statistics', {});
        await meta.close();
        return clusterId;
      }),
    );
    assert.equal(ids[0], ids[1]);
  });
});
