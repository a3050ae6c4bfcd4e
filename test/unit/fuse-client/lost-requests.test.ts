// Requests that a mount loses with its mediator: asked again, by the same id,
// when the mediator knows the mount again.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { retryLostRequests } from '../../../src/fuse-client/session/lost-requests.js';
import { MountSession } from '../../../src/fuse-client/session/mount-session.js';
import { FileError, ServiceError } from '../../../src/protocol/errors.js';
import type { FileService } from '../../../src/protocol/services/files.js';
import type { CallOptions } from '../../../src/protocol/services/service.js';
import type { FileLock, SessionService } from '../../../src/protocol/services/sessions.js';
import { type Attempt, RequestIds } from '../../../src/protocol/values/request-ids.js';
import type { RemoteState } from '../../../src/protocol/wire/client.js';
import { RepeatedCalls } from '../../../src/protocol/wire/repeated-calls.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { ManualClock } from '../../support/manual-clock.js';
import { RecordingLog } from '../../support/recording-log.js';

const DEADLINE_MS = 1000;
const UNLINK = { parent: 1, name: 'a', held: [] };
const LOCK = { inode: 5, kind: 'posix', owner: 1n, start: 0n, end: 9n, type: 'write', pid: 7 } as const;

/** A mediator that loses the next calls, as many as are named, and what it was asked. */
class Mediator {
  readonly clock = new ManualClock();
  readonly asked: { method: string; request: object }[] = [];
  readonly lost: RepeatedCalls;
  losses = 0;
  /** What ends the wait of `begin`, when one is to wait. */
  hold: Promise<void> | undefined;
  #listener: (state: RemoteState) => void = () => {};
  readonly #waiting = new Set<(error: Error) => void>();

  constructor() {
    const onStateChange = (listener: (state: RemoteState) => void) => {
      this.#listener = listener;
    };
    this.lost = new RepeatedCalls({ onStateChange }, DEADLINE_MS, this.clock);
  }

  break(): void {
    this.#listener('down');
    for (const fail of [...this.#waiting]) fail(new ServiceError('UNREACHABLE', 'the connection broke'));
    this.#waiting.clear();
  }

  async call<T>(method: string, request: object, answer: T): Promise<T> {
    this.asked.push({ method, request });
    if (this.losses === 0 || method === 'begin') return answer;
    this.losses--;
    this.break();
    throw new ServiceError('UNREACHABLE', 'the connection broke');
  }

  readonly files = {
    unlink: (request: object) => this.call('unlink', request, { inode: 2, links: 0, changed: [] }),
    lookup: async (request: object) => {
      await this.call('lookup', request, {});
      throw new FileError('ENOENT', 'nothing there');
    },
  } as unknown as FileService;

  readonly sessions: SessionService = {
    begin: async (request) => {
      await this.hold;
      return this.call('begin', request, { known: false, last: 0, lost: [], mediator: 'm' });
    },
    changes: (_request, options) =>
      new Promise((_resolve, reject) => {
        this.#waiting.add(reject);
        options?.signal?.addEventListener('abort', () => reject(new ServiceError('CANCELLED', 'ended')));
      }),
    setLock: (request) => this.call('setLock', request, { granted: true, after: 0 }),
    restoreLocks: (request) => this.call('restoreLocks', request, { lost: [] }),
    getLock: (request) => this.call('getLock', request, { conflict: null }),
    end: async () => ({}),
  };

  session(): MountSession {
    const random = { fraction: () => 0.5, bytes: (count: number) => new Uint8Array(count) };
    const runtime = { clock: this.clock, log: new RecordingLog(), random } as unknown as Runtime;
    const listener = {
      ...{ outdated: async () => {}, missedChanges: async () => {}, lostLocks: () => {} },
      ...{ open: () => [], takeClosed: () => [] },
    };
    return new MountSession(this.sessions, listener, runtime, this.lost);
  }

  requests(method: string): object[] {
    return this.asked.filter((each) => each.method === method).map(({ request }) => request);
  }
}

const noWait = async (limits: CallOptions): Promise<CallOptions> => limits;

async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
}

describe('a request that is lost with the mediator', () => {
  it('is asked again with the same id, and says so', async () => {
    const mediator = new Mediator();
    const files = retryLostRequests(mediator.files, mediator.lost, new RequestIds('mount'), noWait);
    mediator.losses = 2;
    assert.equal((await files.unlink(UNLINK)).inode, 2);
    await files.unlink(UNLINK);
    assert.deepEqual(mediator.requests('unlink'), [
      { ...UNLINK, id: ['mount', 0, 1] },
      { ...UNLINK, id: ['mount', 0, 1], again: true },
      { ...UNLINK, id: ['mount', 0, 1], again: true },
      { ...UNLINK, id: ['mount', 0, 2] },
    ]);
  });

  it('needs no id when it changes nothing, and fails as the mediator says', async () => {
    const mediator = new Mediator();
    const files = retryLostRequests(mediator.files, mediator.lost, new RequestIds('mount'), noWait);
    mediator.losses = 1;
    await assert.rejects(files.lookup({ parent: 1, name: 'a' }), { code: 'ENOENT' });
    assert.deepEqual(mediator.requests('lookup'), [
      { parent: 1, name: 'a' },
      { parent: 1, name: 'a' },
    ]);
  });

  it('waits until the session is begun anew, which tells the mediator what the mount had', async () => {
    const mediator = new Mediator();
    const session = mediator.session();
    await session.start();
    const files = retryLostRequests(mediator.files, mediator.lost, new RequestIds('mount'), (limits) =>
      session.begun(limits),
    );
    let release = () => {};
    mediator.hold = new Promise((resolve) => {
      release = resolve;
    });
    mediator.losses = 1;
    const unlinking = files.unlink(UNLINK);
    await settle();
    await mediator.clock.advance(500);
    assert.equal(mediator.requests('unlink').length, 1);
    release();
    await unlinking;
    assert.deepEqual(
      mediator.asked.map(({ method }) => method),
      ['begin', 'unlink', 'begin', 'unlink'],
    );
    await session.end();
  });

  it('waits no longer than its deadline, and not at all when it is given up', async () => {
    const mediator = new Mediator();
    const session = mediator.session();
    await session.start();
    const files = retryLostRequests(mediator.files, mediator.lost, new RequestIds('mount'), (limits) =>
      session.begun(limits),
    );
    mediator.hold = new Promise(() => {});
    mediator.break();
    const giving = new AbortController();
    const options: CallOptions = { signal: giving.signal };
    const given = assert.rejects(files.lookup({ parent: 1, name: 'a' }, options), { code: 'CANCELLED' });
    const late = assert.rejects(files.unlink(UNLINK), { code: 'DEADLINE' });
    await settle();
    giving.abort();
    await given;
    await mediator.clock.advance(DEADLINE_MS + 1);
    await late;
    assert.equal(mediator.requests('unlink').length, 0);
  });

  it('is asked again when it is about a lock', async () => {
    const mediator = new Mediator();
    const session = mediator.session();
    await session.start();
    mediator.losses = 1;
    const locking = session.locks.set(LOCK, false, new AbortController().signal);
    await settle();
    await mediator.clock.advance(500);
    await locking;
    mediator.losses = 1;
    const unlocking = session.locks.unlockAll(5, { kind: 'posix', owner: 1n });
    await settle();
    await mediator.clock.advance(500);
    await unlocking;
    const types = mediator.requests('setLock').map((request) => (request as { type: FileLock['type'] | null }).type);
    assert.deepEqual(types, ['write', 'write', null, null]);
    const held = mediator.requests('begin').map((request) => (request as { locks: FileLock[] }).locks.length);
    assert.deepEqual(held, [0, 0, 0], 'a lock that is being given up is not said to be held');
    await session.end();
  });
});

describe('ids of requests', () => {
  it('use as few slots as there are requests at once, each with its own count', async () => {
    const ids = new RequestIds('c');
    const seen: Attempt['id'][] = [];
    const finish: (() => void)[] = [];
    const start = () =>
      ids.run((id) => {
        seen.push(id);
        return new Promise<void>((resolve) => finish.push(resolve));
      });
    const running = [start(), start(), start()];
    finish[2]?.();
    finish[0]?.();
    await Promise.all([running[0], running[2]]);
    running.push(start(), start());
    for (const each of finish) each();
    await Promise.all(running);
    await ids.run(async (id) => void seen.push(id));
    assert.deepEqual(seen, [
      ['c', 0, 1],
      ['c', 2, 1],
      ['c', 4, 1],
      ['c', 0, 2],
      ['c', 4, 2],
      ['c', 0, 3],
    ]);
  });

  it('are given back by a request that failed, whose number is not used again', async () => {
    const ids = new RequestIds('c');
    await assert.rejects(ids.run(() => Promise.reject(new Error('lost'))));
    assert.deepEqual(await ids.run(async (id) => id), ['c', 0, 2]);
  });
});
