// A message of answered commands that the metaserver refuses as a whole, and what
// was sent behind it before that was known: nothing is answered, or counts as
// stored, as if the commands had been carried out.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { retryingMetadata } from '../../../src/mediator/metadata/retrying-metadata.js';
import { MemoryStore, memoryEngine } from '../../../src/metaserver/storage/memory-engine.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { MetaserverService } from '../../../src/protocol/services/metadata.js';
import { AnsweringMediator } from '../../support/answering-mediator.js';
import { codeOf, makeRequest, ROOT, TestMetaserver } from '../metaserver/harness.js';

const LISTING = { name: 'readdir', request: { inode: ROOT, cookie: 0, limit: 100, attributes: false } } as const;
/** Longer than a refused call waits before it is made again. */
const PAUSE_MS = 50;

async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** The connection to a metaserver that holds the first message of answered commands, and refuses it when it is told to. */
class Holding {
  refuse: (error: ServiceError) => void = () => assert.fail('nothing is held');
  /** Whether the next listing is refused at once. */
  refusesListing = false;
  /** Whether answers to questions, as they are when they come, are heard behind the one to the message. */
  repliesInOrder = false;
  #held: Promise<void> | null = null;

  service(metadata: MetaserverService): MetaserverService {
    return {
      execute: (message, options) => metadata.execute(message, options),
      executeAll: async (request, options) => {
        if (request.commands.length === 0) return metadata.executeAll(request, options);
        if (this.#held === null) {
          this.#held = new Promise((_, reject) => (this.refuse = reject));
          await this.#held;
        }
        return metadata.executeAll(request, options);
      },
      query: async (message, options) => {
        if (this.refusesListing && message.name === 'readdir') {
          this.refusesListing = false;
          throw new ServiceError('NOT_LEADER', 'no leader is known');
        }
        const answer = metadata.query(message, options);
        if (this.repliesInOrder) await Promise.allSettled([answer, this.#held]);
        return answer;
      },
      sync: async (request, options) => {
        await this.#held?.catch(() => {});
        return metadata.sync(request, options);
      },
    };
  }
}

describe('answered commands that are refused as a whole', () => {
  let server: TestMetaserver;
  let holding: Holding;
  let metadata: MetaserverService;
  let mediator: AnsweringMediator;

  function execute(name: string) {
    return mediator.early.execute({ name: 'make', timeNs: 9n, request: makeRequest(ROOT, name), durable: false });
  }

  async function makeEarly(name: string): Promise<void> {
    const { answered } = mediator;
    await execute(name);
    assert.equal(mediator.answered, answered + 1);
  }

  /** Sends what waits, and asks behind it. */
  async function listed(): Promise<string[]> {
    const { entries } = await mediator.connection.ask((limits) => metadata.query(LISTING, limits), undefined);
    return entries.map(({ name }) => name);
  }

  beforeEach(async () => {
    server = await TestMetaserver.open(memoryEngine(new MemoryStore()));
    holding = new Holding();
    metadata = holding.service(server.server);
    mediator = await AnsweringMediator.open(metadata, server.runtime);
    // From here on the mediator has numbers for inodes, and knows the root.
    await execute('0');
    await mediator.early.sync({});
    await makeEarly('a');
  });

  afterEach(async () => {
    await mediator.close();
    await server.close();
    assert.equal(mediator.lost, 0);
  });

  it('are carried out before those that were sent behind them', async () => {
    mediator.connection.answered.flush();
    await makeEarly('b');
    mediator.connection.answered.flush();
    await turns();
    holding.refuse(new ServiceError('UNREACHABLE', 'the database is being opened anew'));
    await turns();
    assert.deepEqual(await listed(), ['0', 'a', 'b']);
  });

  it('are stored when a sync is answered that was sent behind them', async () => {
    const synced = mediator.early.sync({});
    await turns();
    holding.refuse(new ServiceError('FAILED', 'a row is damaged'));
    await synced;
    assert.equal(mediator.connection.unsynced.size, 0);
    assert.deepEqual(await listed(), ['0', 'a']);
  });

  it('are seen by a question that was sent behind them, and answered without them', async () => {
    holding.repliesInOrder = true;
    const retrying = retryingMetadata(mediator.connection);
    const names = retrying.query(LISTING);
    const missing = retrying.query({ name: 'lookup', request: { parent: ROOT, name: 'a' } });
    await turns();
    holding.refuse(new ServiceError('FAILED', 'a row is damaged'));
    assert.deepEqual(
      (await names).entries.map(({ name }) => name),
      ['0', 'a'],
    );
    assert.equal((await missing).kind, 'file');
  });

  it('are waited for by a question that is asked again no longer than its caller waits', async () => {
    holding.refusesListing = true;
    const { connection } = mediator;
    const asked = connection.ask((limits) => metadata.query(LISTING, limits), { deadlineMs: 2 * PAUSE_MS });
    const code = codeOf(asked);
    for (let time = 0; time < 3; time++) {
      await turns();
      server.runtime.advance(PAUSE_MS);
    }
    assert.equal(await code, 'DEADLINE');
    holding.refuse(new ServiceError('NOT_LEADER', 'no leader is known'));
  });

  it('are carried out before a question that is asked again', async () => {
    holding.refusesListing = true;
    const names = listed();
    await turns();
    server.runtime.advance(PAUSE_MS);
    await turns();
    holding.refuse(new ServiceError('NOT_LEADER', 'no leader is known'));
    await turns();
    assert.deepEqual(await names, ['0', 'a']);
  });
});
