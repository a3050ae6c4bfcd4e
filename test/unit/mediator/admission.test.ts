// A data server is let in over the connection that it was examined over, and no other.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Admission } from '../../../src/mediator/replicas/admission.js';
import { Replica } from '../../../src/mediator/replicas/replica.js';
import type { StoreStatus } from '../../../src/protocol/services/blocks.js';
import type { MetadataService } from '../../../src/protocol/services/metadata.js';
import type { Remote } from '../../../src/protocol/wire/client.js';
import { silentLog } from '../../../src/runtime/log.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { ManualClock, settle } from '../../support/manual-clock.js';

const CLUSTER = 'a cluster';
const REST = {
  bytes: 300,
  storedBytes: 300,
  freeBytes: 1000,
  totalBytes: 2000,
  diskId: 'disk1',
  trouble: null,
  reason: '',
};

describe('the admission of a data server', () => {
  const runtime = { clock: new ManualClock(), log: silentLog } as unknown as Runtime;
  let state: Remote['state'];
  let storeId: string;
  let asked: number;
  /** Lets the metaserver answer who the servers are. */
  let answer: () => void;

  function begin(): { replica: Replica; admitted: Promise<void> } {
    state = 'up';
    storeId = 'the first store';
    asked = 0;
    const status = async (): Promise<StoreStatus> => {
      asked++;
      return { name: 'data1', clusterId: CLUSTER, storeId, blocks: 3, ...REST };
    };
    const remote = {
      get state() {
        return state;
      },
      service: () => ({ status }),
    } as unknown as Remote;
    const query = async ({ name }: { name: string }) => {
      if (name === 'statistics') return { blocks: 3 };
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return { servers: [{ name: 'data1', storeId: 'the first store', state: 'complete' }] };
    };
    const metadata = { query, execute: async () => ({}) } as unknown as MetadataService;
    const replica = new Replica('data1', 'data1:1', remote, runtime.clock, () => {});
    const admission = new Admission({ metadata, deadlineMs: 1000, runtime });
    return { replica, admitted: admission.admit(replica, CLUSTER) };
  }

  it('starts over when its connection is lost meanwhile and it is there again', async () => {
    const { replica, admitted } = begin();
    await settle();
    replica.losses++;
    storeId = 'an empty store';
    answer();
    await settle();
    answer();
    await admitted;
    assert.equal(asked, 2);
    assert.equal(replica.state, 'blank');
    assert.equal(replica.store?.storeId, 'an empty store');
  });

  it('lets no server in that is lost meanwhile', async () => {
    const { replica, admitted } = begin();
    await settle();
    replica.losses++;
    state = 'down';
    answer();
    await admitted;
    assert.equal(asked, 1);
    assert.equal(replica.state, 'down');
  });

  it('lets one in whose connection holds', async () => {
    const { replica, admitted } = begin();
    await settle();
    answer();
    await admitted;
    assert.equal(replica.state, 'up');
  });
});
