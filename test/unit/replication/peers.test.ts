// What a server of a group makes of others that greet it.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Greeting } from '../../../src/protocol/services/group.js';
import { Peers } from '../../../src/replication/link/peers.js';
import { type LogFields, silentLog } from '../../../src/runtime/log.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { ManualClock } from '../../support/manual-clock.js';

function greetingOf(name: string, cluster: string): Greeting {
  return { name, id: `${name}/1`, hasGroup: true, cluster, clusterId: null, servers: [] };
}

describe('servers that greet each other', () => {
  it('refuse strangers each time, and log each of them once a minute', async () => {
    const lines: LogFields[] = [];
    const clock = new ManualClock();
    const log = { ...silentLog, error: (_event: string, fields: LogFields = {}) => void lines.push(fields) };
    const runtime = { clock, log } as unknown as Runtime;
    const peers = new Peers({ name: 'a', own: () => greetingOf('a', 'here'), others: [], runtime });
    const greet = (name: string) => {
      assert.throws(() => peers.heard(greetingOf(name, 'elsewhere')), { code: 'REFUSED' });
    };
    for (let time = 0; time < 5; time++) for (const name of ['b', 'c']) greet(name);
    assert.deepEqual(
      lines.map(({ server }) => server),
      ['b', 'c'],
    );
    await clock.advance(61_000);
    greet('b');
    assert.equal(lines.length, 3);
    assert.equal(lines[2]?.unsaid, 4);
    await peers.close();
  });
});
