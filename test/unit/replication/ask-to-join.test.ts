// How a server is let into a group: who asks, whom, and until when.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ServiceError } from '../../../src/protocol/errors.js';
import { askToJoin } from '../../../src/replication/group/ask-to-join.js';
import type { Peers } from '../../../src/replication/link/peers.js';
import { TestRuntime } from '../metaserver/harness.js';

type Standing = ReturnType<Parameters<typeof askToJoin>[1]>;

/** One server that belongs to the group, and one that does not. */
class Asking {
  asked: string[] = [];
  now: Standing = { standing: 'blank', hasLeader: false };
  isClosed = false;
  refusal: Error | null = null;
  readonly runtime = new TestRuntime();
  readonly done: Promise<void>;

  constructor() {
    const peer = (name: string, hasGroup: boolean) => ({
      name,
      greeting: { name, id: name, hasGroup, cluster: 'test', clusterId: null },
      service: {
        join: async ({ id }: { id: string }) => {
          this.asked.push(`${id} at ${name}`);
          if (this.refusal !== null) throw this.refusal;
          return {};
        },
      },
    });
    const peers = { all: [peer('blank', false), peer('member', true)] } as unknown as Peers;
    const parts = { peers, runtime: this.runtime, isClosed: () => this.isClosed };
    this.done = askToJoin('new/1', () => this.now, parts);
  }

  /** How often it has asked since. */
  async times(rounds: number): Promise<number> {
    await new Promise((resolve) => setImmediate(resolve));
    this.asked = [];
    for (let round = 0; round < rounds; round++) {
      this.runtime.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return this.asked.length;
  }
}

describe('a server that is no voter', () => {
  it('asks those that belong to a group until it hears a leader, and again when it hears none as a learner', async () => {
    const asking = new Asking();
    assert.equal(await asking.times(3), 3);
    assert.deepEqual(new Set(asking.asked), new Set(['new/1 at member']));
    asking.now = { standing: 'learner', hasLeader: true };
    assert.equal(await asking.times(3), 0);
    asking.now = { standing: 'learner', hasLeader: false };
    assert.equal(await asking.times(3), 3);
    asking.now = { standing: 'voter', hasLeader: false };
    assert.equal(await asking.times(1), 0);
    await asking.done;
  });

  it('asks on when it is refused, and not after a close', async () => {
    const asking = new Asking();
    asking.refusal = new ServiceError('NOT_LEADER', 'another one leads');
    assert.equal(await asking.times(2), 2);
    asking.isClosed = true;
    assert.equal(await asking.times(1), 0);
    await asking.done;
  });

  it('does not ask when it was removed', async () => {
    const asking = new Asking();
    asking.now = { standing: 'removed', hasLeader: false };
    assert.equal(await asking.times(2), 0);
    await asking.done;
  });
});
