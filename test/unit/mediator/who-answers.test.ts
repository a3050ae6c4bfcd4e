// What a mediator asks of whom after it has lost the metaserver, against one that a test plays.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Counters } from '../../../src/mediator/counters.js';
import {
  MetaserverConnection,
  type MetaserverConnectionParts,
} from '../../../src/mediator/metadata/metaserver-connection.js';
import { retryingMetadata } from '../../../src/mediator/metadata/retrying-metadata.js';
import { FileError, ServiceError } from '../../../src/protocol/errors.js';
import type { MetadataService, MetaserverService } from '../../../src/protocol/services/metadata.js';
import type { CallOptions } from '../../../src/protocol/services/service.js';
import { RequestIds } from '../../../src/protocol/values/request-ids.js';
import type { RemoteState } from '../../../src/protocol/wire/client.js';
import { testRuntime } from '../../support/fake-cluster.js';
import { ManualClock, settle } from '../../support/manual-clock.js';

const DEADLINE_MS = 1000;
const RMDIR = { name: 'rmdir', timeNs: 1n, request: { parent: 1, name: 'd' }, durable: false } as const;
const LOOKUP = { name: 'lookup', request: { parent: 1, name: 'd' } } as const;

describe('after a loss of the metaserver', () => {
  let clock: ManualClock;
  let parts: () => MetaserverConnectionParts;
  let connection: MetaserverConnection;
  let service: MetadataService;
  let listeners: ((state: RemoteState) => void)[];
  /** The process that answers, and who it says that it is. */
  let start: number;
  let asked: string[];
  /** How often nobody could tell whether a command was carried out. */
  let unclear: number;
  /** Calls that are not answered. */
  let hanging: ((error: Error) => void)[];
  let answer: (name: string, options: CallOptions | undefined) => Promise<unknown>;

  /** The connection breaks, and is there again, perhaps to another process. */
  function breaks(isAnother: boolean): void {
    if (isAnother) start++;
    for (const listener of listeners) listener('down');
    for (const fail of hanging) fail(new ServiceError('OUTCOME_UNKNOWN', 'the connection broke'));
    hanging = [];
    for (const listener of listeners) listener('up');
  }

  function hang(options: CallOptions | undefined): Promise<never> {
    return new Promise((_resolve, reject) => {
      hanging.push(reject);
      clock.after(options?.deadlineMs ?? 0, () => reject(new ServiceError('DEADLINE', 'hung')));
    });
  }

  beforeEach(async () => {
    clock = new ManualClock();
    listeners = [];
    hanging = [];
    start = 1;
    asked = [];
    answer = async () => ({});
    const call = async (name: string, options: CallOptions | undefined) => {
      asked.push(`${name} of ${start}`);
      if (name === 'statistics') {
        const statistics = { clusterId: 'c', start: `${start}`, history: `${start}` };
        await answer(name, options);
        return statistics;
      }
      return answer(name, options);
    };
    const metadata = {
      execute: ({ name }: { name: string }, options?: CallOptions) => call(name, options),
      query: ({ name }: { name: string }, options?: CallOptions) => call(name, options),
      sync: (_request: object, options?: CallOptions) => call('sync', options),
    } as unknown as MetaserverService;
    const remote = { onStateChange: (listener: (state: RemoteState) => void) => void listeners.push(listener) };
    const nothing = () => {};
    const runtime = { ...testRuntime([]), clock };
    unclear = 0;
    const listener = { restarted: nothing, outcomeUnknown: () => void unclear++ };
    const common = { remote, metadata, deadlineMs: DEADLINE_MS, runtime, listener };
    parts = () => ({ ...common, ids: new RequestIds('m'), counters: new Counters() });
    connection = new MetaserverConnection(parts());
    service = retryingMetadata(connection);
    await connection.start();
    await service.sync({});
    asked = [];
  });

  afterEach(() => connection.close());

  it('whoever was about to act on what was there is told by his sync', async () => {
    await service.execute(RMDIR);
    answer = async (name) => {
      if (name === 'rmdir') throw new FileError('ENOENT', 'gone');
      if (name !== 'sync' || start > 1) return {};
      breaks(true);
      throw new ServiceError('OUTCOME_UNKNOWN', 'the connection broke');
    };
    await assert.rejects(service.sync({}), { code: 'FAILED' });
    await service.sync({});
  });

  it('a caller has the time that it asked for, however often the call is made', async () => {
    answer = async () => {
      throw new ServiceError('NOT_LEADER', 'none leads');
    };
    const short = assert.rejects(service.query(LOOKUP, { deadlineMs: 100 }), { code: 'DEADLINE' });
    await clock.advance(100);
    await short;
    assert.ok(asked.length > 2, `${asked.length} calls`);
    // The second attempt hangs.
    let isFirst = true;
    answer = async (_name, options) => {
      if (!isFirst) return hang(options);
      isFirst = false;
      await new Promise<void>((resolve) => void clock.after(60, resolve));
      throw new ServiceError('NOT_LEADER', 'none leads');
    };
    const again = assert.rejects(service.query(LOOKUP, { deadlineMs: 100 }), { code: 'DEADLINE' });
    await clock.advance(100);
    await again;
    // Longer than all calls may take: these limits hold.
    answer = async (_name, options) => hang(options);
    const long = assert.rejects(service.query(LOOKUP, { deadlineMs: 2 * DEADLINE_MS }), { code: 'DEADLINE' });
    await clock.advance(DEADLINE_MS);
    await long;
  });

  it('nothing else is asked before it is known who answers, also when that one is lost while he says so', async () => {
    await service.execute(RMDIR);
    let isLostAgain = false;
    answer = async (name) => {
      if (name !== 'statistics' || isLostAgain) return {};
      isLostAgain = true;
      await settle();
      breaks(true);
      return {};
    };
    breaks(true);
    await service.query(LOOKUP);
    assert.deepEqual(asked.slice(1), ['statistics of 2', 'statistics of 3', 'rmdir of 3', 'lookup of 3']);
  });

  it('each waits for as long as he has, whoever has asked first who answers', async () => {
    let hung = 0;
    answer = (name, options) => {
      if (name !== 'statistics') return Promise.resolve({});
      return hung++ === 0 ? hang(options) : answered;
    };
    let answers = (_: object) => {};
    const answered = new Promise<object>((resolve) => {
      answers = resolve;
    });
    breaks(false);
    const first = assert.rejects(service.query(LOOKUP), { code: 'DEADLINE' });
    await clock.advance(DEADLINE_MS / 2);
    const second = service.query(LOOKUP);
    await clock.advance(DEADLINE_MS / 2);
    await first;
    answers({});
    await second;
    assert.equal(hung, 2);
  });

  it('nobody waits for ever while one process after the other is lost', async () => {
    answer = (name, options) => (name === 'statistics' ? hang(options) : Promise.resolve({}));
    breaks(true);
    let isOver = false;
    const asking = assert.rejects(connection.ready(), { code: 'DEADLINE' }).then(() => {
      isOver = true;
    });
    for (let loss = 0; loss < 12 && !isOver; loss++) {
      await clock.advance(DEADLINE_MS / 10);
      breaks(true);
    }
    assert.equal(isOver, true);
    await asking;
  });

  it('what an earlier mediator was answered is asked to be stored until it is', async () => {
    const next = new MetaserverConnection(parts());
    let failures = 2;
    answer = async (name) => {
      if (name === 'sync' && failures-- > 0) throw new ServiceError('OUTCOME_UNKNOWN', "the metaserver's disk failed");
      return {};
    };
    await next.start();
    assert.equal(next.isAllDurable, false);
    await clock.advance(200);
    assert.equal(next.isAllDurable, true);
    next.close();
  });

  for (const code of ['NOT_LEADER', 'CLOSING', 'UNREACHABLE'] as const) {
    it(`a command that was answered ${code} for as long as it was asked leaves nothing in doubt`, async () => {
      await service.execute(RMDIR);
      const { mediator } = connection.verifier;
      let asked = 0;
      answer = async (name) => {
        if (name !== RMDIR.name) return {};
        asked++;
        throw new ServiceError(code, 'nothing was done');
      };
      const refused = assert.rejects(service.execute(RMDIR), { code });
      await clock.advance(DEADLINE_MS);
      await refused;
      assert.equal(asked > 1, code !== 'UNREACHABLE');
      assert.equal(unclear, 0);
      answer = async () => ({});
      breaks(true);
      await service.query(LOOKUP);
      assert.equal(connection.verifier.mediator, mediator);
    });
  }

  it('a command that was not even sent leaves nothing in doubt', async () => {
    await service.execute(RMDIR);
    const { mediator } = connection.verifier;
    answer = (name, options) => (name === 'statistics' ? hang(options) : Promise.resolve({}));
    breaks(false);
    const unsent = assert.rejects(service.execute(RMDIR), { code: 'DEADLINE' });
    await clock.advance(DEADLINE_MS);
    await unsent;
    answer = async () => ({});
    breaks(true);
    await service.query(LOOKUP);
    assert.equal(connection.verifier.mediator, mediator);
  });

  it('what may be carried out twice is not kept to be', async () => {
    await service.execute({ name: 'purge', timeNs: 1n, request: { inode: 5 }, durable: false });
    await service.execute(RMDIR);
    breaks(true);
    await service.query(LOOKUP);
    assert.deepEqual(asked.slice(2), ['statistics of 2', 'rmdir of 2', 'lookup of 2']);
  });

  it('a mediator that is closed asks nothing', async () => {
    await service.execute(RMDIR);
    connection.close();
    breaks(true);
    await clock.advance(DEADLINE_MS);
    await settle();
    assert.deepEqual(asked, ['rmdir of 1']);
    assert.equal(clock.pending, 0);
  });
});
