// What the connecting side does with listeners that are not ours. The rest of
// the network is tested by test/conformance/network-cases.ts.
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { describe, it } from 'mocha';
import { silentLog } from '../../../src/runtime/log.js';
import type { Socket as RuntimeSocket } from '../../../src/runtime/network.js';
import { nodeNetwork } from '../../../src/runtime/node/network.js';

describe("Node's network, connecting", () => {
  const strangers: Record<string, { greet: (socket: Socket) => void; expected: RegExp; deadlineMs?: number }> = {
    'says nothing': { greet: () => {}, expected: /within 50 ms/, deadlineMs: 50 },
    'hangs up': { greet: (socket) => socket.end(), expected: /closed the connection/ },
    'answers as a web server': {
      greet: (socket) => socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'),
      expected: /does not switch to nmrfs: HTTP\/1\.1 404/,
    },
    'talks without end': {
      greet: (socket) => socket.write(Buffer.alloc(100_000, 'x')),
      expected: /something else than HTTP/,
    },
  };
  for (const [what, { greet, expected, deadlineMs = 5_000 }] of Object.entries(strangers)) {
    it(`rejects, and lets go of the connection, when the other side ${what}`, async () => {
      const released: Promise<void>[] = [];
      const server = createServer((socket) => {
        released.push(new Promise((resolve) => socket.on('close', () => resolve())));
        socket.on('error', () => {});
        socket.once('data', () => greet(socket));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      assert.ok(typeof address === 'object' && address !== null);
      const network = nodeNetwork(silentLog);
      await assert.rejects(network.connect(`127.0.0.1:${address.port}`, deadlineMs), expected);
      await Promise.all(released);
      await new Promise((resolve) => server.close(resolve));
    });
  }

  it('gets bytes that came together with the answer to the upgrade', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: nmrfs\r\n\r\nfirst words'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const socket = await nodeNetwork(silentLog).connect(`127.0.0.1:${address.port}`, 5_000);
    const words = await new Promise<string>((resolve) => {
      socket.onData((chunk) => resolve(Buffer.from(Uint8Array.from(chunk)).toString()));
    });
    assert.equal(words, 'first words');
    socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it('reads into the room that a receiver has, on both sides', async () => {
    const accepted: RuntimeSocket[] = [];
    const network = nodeNetwork(silentLog);
    const listener = await network.listen({
      address: '127.0.0.1:0',
      onSocket: (socket) => accepted.push(socket),
      onHttp: async () => ({ status: 404, body: '' }),
      maximumHttpBodyBytes: 1000,
    });
    const near = await network.connect(listener.address, 5_000);
    const far = accepted[0];
    assert.ok(far !== undefined);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      const room = new Uint8Array(1_000_000);
      let filled = 0;
      let inPlace = 0;
      await new Promise<void>((resolve) => {
        const take = (chunk: Uint8Array): void => {
          if (chunk.buffer === room.buffer) inPlace += chunk.length;
          filled += chunk.length;
          if (filled === room.length) resolve();
        };
        to.onData(take, () => (filled === 0 ? undefined : room.subarray(filled)));
        from.write([Buffer.alloc(room.length, 7)]);
      });
      // The first chunk has another place.
      assert.ok(inPlace > 0 && inPlace < room.length, `${inPlace} bytes`);
      assert.ok(room.subarray(room.length - inPlace).every((byte) => byte === 7));
    }
    near.destroy();
    await listener.close();
  });

  it('refuses what is no address', async () => {
    for (const address of ['nonsense', 'host:', 'host:99999', ':1', 'host:port']) {
      await assert.rejects(nodeNetwork(silentLog).connect(address, 100), /HOST:PORT/, address);
    }
  });
});
