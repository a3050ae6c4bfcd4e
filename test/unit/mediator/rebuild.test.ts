// Rebuild and catch-up of a data server that refuses blocks now and then, goes away, or is wiped in between.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'mocha';
import { Counters } from '../../../src/mediator/counters.js';
import { Admission } from '../../../src/mediator/replicas/admission.js';
import { Replica } from '../../../src/mediator/replicas/replica.js';
import type { ReplicaSet } from '../../../src/mediator/replicas/replica-set.js';
import { Recovery } from '../../../src/mediator/upkeep/recovery.js';
import { Repairer } from '../../../src/mediator/upkeep/repair.js';
import type { Reader } from '../../../src/mediator/voting/reader.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { DataServerState } from '../../../src/protocol/services/admin.js';
import type { BlockReference, MetadataService } from '../../../src/protocol/services/metadata.js';
import { hashBlock } from '../../../src/protocol/values/hash.js';
import { eventually, type LoggedEvent, testRuntime } from '../../support/fake-cluster.js';
import { FaultyReplica } from '../../support/faulty-replica.js';

const BLOCKS = 1600;
const INODE = 9;
/** That the recovery looks at together, and waits for before the next attempt; see there. */
const BATCH_BLOCKS = 32;
const RETRY_MS = 5000;

/** What is asked for of `allBlocks`, `missed`, and `named`. */
interface Page {
  after?: { index: number };
  limit: number;
  blocks: BlockReference[];
}

const contentOf = (index: number) => Buffer.from(`content ${index}`);

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A data server, and the BLOCKS blocks of a file that other servers hold. */
async function fixture() {
  const events: LoggedEvent[] = [];
  const runtime = testRuntime(events);
  const server = await FaultyReplica.open(1, runtime);
  const blocks = Array.from({ length: BLOCKS }, (_, index) => {
    const data = contentOf(index);
    return { inode: INODE, index, version: 1, length: data.length, hash: hashBlock(data) };
  });
  let changed: (replica: Replica) => void = () => {};
  const replica = new Replica('data1', 'here', server.remote, runtime.clock, (one) => changed(one));
  const made = {
    ...{ server, replica, events, clock: runtime.clock },
    /** How often the server has been marked as complete. */
    completions: 0,
    /** Pages of all blocks that the metaserver was asked for. */
    pages: 0,
    /** Blocks that the server was asked whether it has them. */
    asked: 0,
    /** Votes, on one block or on many. */
    votes: 0,
    /** Indexes of blocks that the server has missed. */
    missed: new Set<number>(),
    beforePage: async () => {},
    admit: async (state: DataServerState) => {
      replica.store = await server.blocks.status({});
      replica.state = state;
    },
    /** Has puts of a block fail while `why` has a reason. */
    refuse: (why: (index: number) => ServiceError | null) => {
      server.beforePut = async (items) => {
        for (const { index } of items) {
          const reason = why(index);
          if (reason !== null) throw reason;
        }
      };
    },
    /** Blocks that the server holds. */
    held: async () => (await server.versions()).length,
  };
  const metadata = {
    query: async ({ name, request }: { name: string; request: Page }) => {
      const from = (request.after?.index ?? -1) + 1;
      if (name === 'statistics') return { blocks: BLOCKS };
      if (name === 'named') return { named: request.blocks.map(({ version }) => version === 1) };
      if (name === 'missed') {
        return {
          blocks: blocks.filter(({ index }) => index >= from && made.missed.has(index)).slice(0, request.limit),
        };
      }
      made.pages++;
      await made.beforePage();
      const page = blocks.slice(from, from + request.limit);
      return { blocks: page, done: from + page.length >= BLOCKS };
    },
    execute: async ({ request }: { request: { blocks: BlockReference[] } }) => {
      for (const { index } of request.blocks) made.missed.delete(index);
      return {};
    },
  } as unknown as MetadataService;
  const reader = {
    read: async (wanted: { reference: BlockReference }[]) => {
      made.votes++;
      return {
        outcomes: wanted.map(({ reference }) => ({ data: contentOf(reference.index), box: { ballots: new Map() } })),
      };
    },
  } as unknown as Reader;
  const replicas = {
    replicas: [replica],
    onChange: (listener: typeof changed) => {
      changed = listener;
    },
    markComplete: async () => {
      made.completions++;
      replica.state = 'up';
    },
  } as unknown as ReplicaSet;
  const repairer = new Repairer({ reader: () => reader, metadata, runtime });
  const recovery = new Recovery({ metadata, replicas, repairer, counters: new Counters(), runtime });
  const { get } = server.blocks;
  server.blocks.get = (request, options) => {
    made.asked += request.items.length;
    return get(request, options);
  };
  closing.push(async () => {
    await recovery.close();
    await server.close();
  });
  return made;
}

/** A reason to refuse each block for which `isChosen`, once. */
function once(isChosen: (index: number) => boolean, reason: ServiceError): (index: number) => ServiceError | null {
  const refused = new Set<number>();
  return (index) => {
    if (!isChosen(index) || refused.has(index)) return null;
    refused.add(index);
    return reason;
  };
}

describe('a rebuild', () => {
  it('votes on small blocks together, and puts them with one message', async () => {
    const made = await fixture();
    await made.admit('blank');
    await eventually(() => made.completions > 0);
    assert.equal(await made.held(), BLOCKS);
    assert.deepEqual([made.votes, made.server.calls.get('put')], [BLOCKS / BATCH_BLOCKS, BLOCKS / BATCH_BLOCKS]);
  });

  it('comes to its end when single blocks are refused now and then, and begins once again at most', async () => {
    const made = await fixture();
    made.refuse(once((index) => index % 40 === 7, new ServiceError('FAILED', 'now and then')));
    await made.admit('blank');
    await eventually(() => made.completions > 0);
    assert.deepEqual([await made.held(), made.completions, made.replica.state], [BLOCKS, 1, 'up']);
    assert.ok(made.asked <= 2 * BLOCKS, `asked for ${made.asked} blocks`);
    const tookMs = made.clock.monotonicMs();
    assert.ok(tookMs < 2 * RETRY_MS, `it took ${tookMs} ms`);
  });

  it('goes on where it was when a server that has missed a deadline is back', async () => {
    const made = await fixture();
    made.refuse(once((index) => index % 400 === 7, new ServiceError('DEADLINE', 'a disk that was busy')));
    await made.admit('blank');
    await eventually(async () => {
      if (made.replica.state === 'down') await made.admit('rebuilding');
      return made.completions > 0;
    });
    assert.equal(await made.held(), BLOCKS);
    assert.ok(made.asked <= 2 * BLOCKS + 8 * BATCH_BLOCKS, `asked for ${made.asked} blocks`);
  });

  it('brings all other blocks when one is refused each time, and ends when that one is taken', async () => {
    const made = await fixture();
    made.refuse((index) => (index === 3 ? new ServiceError('FAILED', 'never this one') : null));
    await made.admit('blank');
    const incomplete = () => made.events.filter(({ event }) => event === 'rebuild.incomplete');
    await eventually(() => incomplete().length === 2);
    assert.deepEqual([await made.held(), made.completions, incomplete()[0]?.lacking], [BLOCKS - 1, 0, 1]);
    made.refuse(() => null);
    await eventually(() => made.completions > 0);
    assert.equal(await made.held(), BLOCKS);
  });

  for (const trouble of ['full', 'failing'] as const) {
    it(`waits where it is while the server's disk is ${trouble}`, async () => {
      const made = await fixture();
      const { server, replica } = made;
      let room = BLOCKS / 2;
      server.beforePut = async (items) => {
        room -= items.length;
        if (room >= 0) return;
        if (trouble === 'full') {
          server.fault = 'full';
          return;
        }
        server.trouble = 'failing';
        replica.store = await server.blocks.status({});
        throw new ServiceError('FAILED', 'the disk fails');
      };
      await made.admit('blank');
      await eventually(() => room < 0);
      const stuck = { pages: made.pages, puts: server.calls.get('put') ?? 0, sinceMs: made.clock.monotonicMs() };
      await eventually(() => made.pages === stuck.pages + 10);
      const waitedMs = made.clock.monotonicMs() - stuck.sinceMs;
      assert.ok(waitedMs >= 9 * RETRY_MS, `ten attempts in ${waitedMs} ms`);
      assert.ok((server.calls.get('put') ?? 0) - stuck.puts <= 11, 'one batch each time');
      assert.equal(await made.held(), BLOCKS / 2);
      server.beforePut = () => undefined;
      server.fault = 'none';
      server.trouble = null;
      replica.store = await server.blocks.status({});
      await eventually(() => made.completions > 0);
      assert.equal(await made.held(), BLOCKS);
      assert.ok(made.asked <= BLOCKS + 12 * BATCH_BLOCKS, `asked for ${made.asked} blocks`);
      assert.equal(made.events.filter(({ event }) => event === 'rebuild.started').length, 1);
    });
  }

  for (const when of ['in a batch', 'between two batches'] as const) {
    it(`begins anew when the server is wiped ${when}`, async () => {
      const made = await fixture();
      const { server, replica } = made;
      let isWiped = false;
      const wipe = async () => {
        if (isWiped || made.pages <= BLOCKS / BATCH_BLOCKS / 2) return;
        isWiped = true;
        const before = replica.store?.storeId;
        server.crash();
        replica.state = 'down';
        server.restart(true);
        await eventually(() => server.fault === 'none');
        await made.admit('blank');
        assert.notEqual(replica.store?.storeId, before);
      };
      if (when === 'in a batch') server.beforePut = wipe;
      else made.beforePage = wipe;
      await made.admit('blank');
      await eventually(() => made.completions > 0);
      assert.deepEqual([isWiped, await made.held(), made.completions], [true, BLOCKS, 1]);
    });
  }

  it('does not take a server for complete that is wiped while the metaserver notes that it is', async () => {
    const { replica, admit, clock, events } = await fixture();
    await admit('rebuilding');
    const execute = async () => {
      replica.state = 'down';
      await admit('blank');
    };
    const metadata = { execute } as unknown as MetadataService;
    const runtime = { ...testRuntime(events), clock };
    await new Admission({ metadata, deadlineMs: 300, runtime }).markComplete(replica);
    assert.equal(replica.state, 'blank');
  });
});

describe('a catch-up', () => {
  it('brings what a server has missed, past a block that it refuses, which is tried again', async () => {
    const made = await fixture();
    for (let index = 0; index < 10 * BATCH_BLOCKS; index++) made.missed.add(index);
    const reason = new ServiceError('FAILED', 'not now');
    made.refuse((index) => (index === 3 ? reason : null));
    await made.admit('up');
    await eventually(async () => (await made.held()) === 10 * BATCH_BLOCKS - 1);
    await eventually(() => made.missed.size === BATCH_BLOCKS);
    made.refuse(() => null);
    await eventually(() => made.missed.size === 0);
    assert.equal(await made.held(), 10 * BATCH_BLOCKS);
  });
});
