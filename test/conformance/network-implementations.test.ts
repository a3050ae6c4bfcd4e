// The cases of network-cases.ts against every network, and against broken ones.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { silentLog } from '../../src/runtime/log.js';
import type { Network, Socket } from '../../src/runtime/network.js';
import { nodeNetwork } from '../../src/runtime/node/network.js';
import { MemoryNetwork } from '../support/memory-network.js';
import { networkCases } from './network-cases.js';

const networks: Record<string, () => Network> = {
  node: () => nodeNetwork(silentLog),
  memory: () => new MemoryNetwork(),
};

for (const [name, make] of Object.entries(networks)) {
  describe(`network: ${name}`, () => {
    let folder = '';
    let count = 0;
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'nmrfs-network-'));
    });
    after(() => rm(folder, { recursive: true, force: true }));
    for (const { name: title, run } of networkCases) {
      it(title, () => run({ network: make(), address: '127.0.0.1:0', unixPath: join(folder, `${count++}.sock`) }));
    }
  });
}

describe('the cases of a network', () => {
  const broken: Record<string, (socket: Socket) => Socket['write']> = {
    'turns chunks around': (socket) => (chunks) => socket.write([...chunks].reverse()),
    'changes a byte': (socket) => (chunks) =>
      socket.write(
        chunks.map((chunk) => {
          const middle = chunk.length >> 1;
          const changed = Uint8Array.from(chunk);
          changed.fill((chunk[middle] ?? 0) ^ 1, middle, middle + 1);
          return changed;
        }),
      ),
  };
  for (const [fault, write] of Object.entries(broken)) {
    it(`find out a network that ${fault}`, async () => {
      const outcomes = await Promise.allSettled(
        networkCases.map(async ({ run }) => {
          const good = new MemoryNetwork();
          const network: Network = {
            listen: (options) => good.listen(options),
            connect: async (address, deadlineMs) => {
              const socket = await good.connect(address, deadlineMs);
              const bad: Pick<Socket, 'write'> = { write: write(socket) };
              return new Proxy(socket, {
                get: (target, member) => {
                  if (member === 'write') return bad.write;
                  const value: unknown = Reflect.get(target, member, target);
                  return typeof value === 'function' ? value.bind(target) : value;
                },
              });
            },
          };
          await run({ network, address: '127.0.0.1:0', unixPath: '/memory' });
        }),
      );
      assert.ok(outcomes.some(({ status }) => status === 'rejected'));
    });
  }
});
