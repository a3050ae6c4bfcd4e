// The only mediator of a cluster has an epoch too: whoever ran as it before is refused.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import { takeSoleEpoch } from '../../../src/mediator/epochs/sole-epoch.js';
import type { Tenure } from '../../../src/mediator/epochs/tenure.js';
import { ServiceError } from '../../../src/protocol/errors.js';
import type { MetaserverService } from '../../../src/protocol/services/metadata.js';
import { nodeDisk } from '../../../src/runtime/node/disk.js';
import { nodeRandom } from '../../../src/runtime/node/random.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MemoryNetwork } from '../../support/memory-network.js';
import { RecordingLog } from '../../support/recording-log.js';
import { memoryPlaces, ROOT, TestMetaserver } from '../metaserver/harness.js';

const DEADLINE_MS = 1000;

describe('the epoch of the only mediator', () => {
  let metaserver: TestMetaserver;
  let clock: ManualClock;
  let log: RecordingLog;

  beforeEach(async () => {
    metaserver = await TestMetaserver.open(memoryPlaces.make().factory);
    clock = new ManualClock();
    log = new RecordingLog();
  });

  /** A process of the mediator. */
  function begin(metadata: MetaserverService = metaserver.server): Promise<Tenure> {
    const random = { fraction: () => 0.5, bytes: nodeRandom.bytes };
    const runtime = { clock, network: new MemoryNetwork(), log, random, disk: nodeDisk };
    return takeSoleEpoch({ name: 'mediator', metadata, deadlineMs: DEADLINE_MS, runtime });
  }

  /** The metadata over a connection that has said the epoch. */
  async function connected(tenure: Tenure): Promise<MetaserverService> {
    const options = { peer: {} };
    await metaserver.server.query({ name: 'statistics', request: { epoch: tenure.epoch } }, options);
    return tenure.watch({
      execute: (message: never) => metaserver.server.execute(message, options),
      query: (message: never) => metaserver.server.query(message, options),
      sync: (request: never) => metaserver.server.sync(request, options),
    } as unknown as MetaserverService);
  }

  const look = (metadata: MetaserverService) => metadata.query({ name: 'attributes', request: { inode: ROOT } });

  it('is taken at once, and ends that of an earlier process, which is refused from then on', async () => {
    const first = await begin();
    const ofFirst = await connected(first);
    await look(ofFirst);
    const second = await begin();
    assert.deepEqual([first.epoch, second.epoch], [1, 2]);
    await assert.rejects(look(ofFirst), { code: 'FENCED' });
    assert.equal(first.isOver, true);
    assert.deepEqual(log.named('mediator.replaced'), [{ name: 'mediator', epoch: 1 }]);
    assert.throws(() => first.check(), { code: 'FENCED' });
    await assert.rejects(
      first.guard(async () => 'cached'),
      { code: 'FENCED' },
    );
    await look(await connected(second));
  });

  it('needs no confirmation: nobody takes over by himself', async () => {
    const tenure = await begin();
    await clock.advance(3_600_000);
    assert.equal(tenure.isSure, true);
  });

  it('is taken though the reply is lost, or the disk could not store it', async () => {
    let failures = 2;
    const beginning = begin({
      query: (message: never) => metaserver.server.query(message),
      async execute(message: never) {
        await metaserver.server.execute(message);
        if (failures-- > 0) throw new ServiceError('OUTCOME_UNKNOWN', 'the disk failed');
      },
    } as unknown as MetaserverService);
    await clock.advance(500);
    assert.equal((await beginning).epoch, 1);
    assert.equal((await metaserver.ask('mediator', {})).epoch, 1);
  });

  it('is not waited for longer than the deadline, nor where the metaserver refuses', async () => {
    const silent = { query: async () => Promise.reject(new ServiceError('UNREACHABLE', 'cut off')) };
    const waiting = assert.rejects(begin(silent as unknown as MetaserverService), { code: 'UNREACHABLE' });
    await clock.advance(DEADLINE_MS);
    await waiting;
    const refusing = { query: async () => Promise.reject(new ServiceError('REFUSED', 'wrong secret')) };
    await assert.rejects(begin(refusing as unknown as MetaserverService), { code: 'REFUSED' });
  });
});
