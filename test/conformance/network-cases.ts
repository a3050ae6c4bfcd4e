// What every Network must do, as cases over a factory: Node's, the one in
// memory, and whatever a simulation brings.
import assert from 'node:assert/strict';
import type { Listener, ListenOptions, Network, Socket } from '../../src/runtime/network.js';

export interface NetworkUnderTest {
  network: Network;
  /** Something to listen at; port 0. */
  address: string;
  unixPath: string;
}

export interface NetworkCase {
  name: string;
  run(under: NetworkUnderTest): Promise<void>;
}

const DEADLINE_MS = 2_000;

export const networkCases: NetworkCase[] = [
  {
    name: 'listening at port 0 tells the real port, and connecting to it works',
    run: (under) =>
      withListener(under, {}, async (listener, accepted) => {
        assert.match(listener.address, /:[1-9]\d*$/);
        const socket = await under.network.connect(listener.address, DEADLINE_MS);
        await accepted();
        socket.destroy();
      }),
  },
  {
    name: 'bytes arrive in order, both ways, whatever the chunks',
    run: (under) =>
      withListener(under, {}, async (listener, accepted) => {
        const near = await under.network.connect(listener.address, DEADLINE_MS);
        const far = await accepted();
        const sent = pattern(300_000);
        const [atNear, atFar] = [collect(near), collect(far)];
        near.write([sent.subarray(0, 1), sent.subarray(1, 1), sent.subarray(1, 70_000)]);
        far.write([sent.subarray(0, 299_999)]);
        near.write([sent.subarray(70_000)]);
        far.write([sent.subarray(299_999)]);
        assert.ok(sent.equals(await atNear(sent.length)));
        assert.ok(sent.equals(await atFar(sent.length)));
        near.destroy();
      }),
  },
  {
    name: 'a Unix-domain path takes connections to the same listener',
    run: (under) =>
      withListener(under, { unixPath: under.unixPath }, async (_listener, accepted) => {
        const near = await under.network.connect(`unix:${under.unixPath}`, DEADLINE_MS);
        const far = await accepted();
        const atFar = collect(far);
        near.write([pattern(10)]);
        assert.ok(pattern(10).equals(await atFar(10)));
        near.destroy();
      }),
  },
  {
    name: 'the other side learns that a connection was closed, once, and gets the last words',
    run: (under) =>
      withListener(under, {}, async (listener, accepted) => {
        const near = await under.network.connect(listener.address, DEADLINE_MS);
        const far = await accepted();
        let closes = 0;
        const closed = new Promise<void>((resolve) => {
          far.onClose(() => {
            closes++;
            resolve();
          });
        });
        const atFar = collect(far);
        near.write([pattern(1000)]);
        near.destroy();
        near.destroy();
        near.write([pattern(1000)]);
        await closed;
        assert.ok(pattern(1000).equals(await atFar(1000)));
        assert.equal(closes, 1);
      }),
  },
  {
    name: 'the side that closes learns it as well',
    run: (under) =>
      withListener(under, {}, async (listener, accepted) => {
        const near = await under.network.connect(listener.address, DEADLINE_MS);
        await accepted();
        const closed = new Promise<void>((resolve) => near.onClose(() => resolve()));
        near.destroy();
        await closed;
      }),
  },
  {
    name: 'a paused receiver gets nothing, its sender sees a queue, and nothing is lost',
    run: (under) =>
      withListener(under, {}, async (listener, accepted) => {
        const near = await under.network.connect(listener.address, DEADLINE_MS);
        const far = await accepted();
        let received = 0;
        const size = 16 * 1024 * 1024;
        const all = new Promise<void>((resolve) => {
          far.onData((chunk) => {
            received += chunk.length;
            if (received >= size) resolve();
          });
        });
        far.pause();
        for (let part = 0; part < 16; part++) near.write([pattern(size / 16)]);
        await roundsOfTheLoop();
        const whilePaused = received;
        assert.ok(near.queuedBytes() > 0, 'the queue shows');
        await roundsOfTheLoop();
        assert.equal(received, whilePaused);
        far.resume();
        await all;
        assert.equal(received, size);
        near.destroy();
      }),
  },
  {
    name: "bytes that are put where the receiver has room for them are the sender's, in order, as are those around them",
    run: (under) =>
      withListener(under, {}, async (listener, accepted) => {
        const near = await under.network.connect(listener.address, DEADLINE_MS);
        const far = await accepted();
        for (const [from, to] of [
          [near, far],
          [far, near],
        ] as const) {
          const sent = pattern(1_000_000);
          const received = Buffer.alloc(sent.length);
          let filled = 0;
          await new Promise<void>((resolve) => {
            const room = () => (filled >= 1000 && filled < 900_000 ? received.subarray(filled, 900_000) : undefined);
            to.onData((chunk) => {
              received.set(chunk, filled);
              filled += chunk.length;
              if (filled === sent.length) resolve();
            }, room);
            from.write([sent.subarray(0, 1000), sent.subarray(1000, 300_000)]);
            from.write([sent.subarray(300_000)]);
          });
          assert.ok(received.equals(sent));
        }
        near.destroy();
      }),
  },
  {
    name: 'connecting to nobody rejects',
    run: async ({ network, address, unixPath }) => {
      const listener = await network.listen(quiet(address));
      await listener.close();
      await assert.rejects(network.connect(listener.address, DEADLINE_MS));
      await assert.rejects(network.connect(`unix:${unixPath}.none`, DEADLINE_MS));
    },
  },
  {
    name: 'closing a listener closes its connections and frees its address',
    run: async ({ network, address }) => {
      let accepted = 0;
      const options = { ...quiet(address), onSocket: () => void accepted++ };
      const listener = await network.listen(options);
      const near = await network.connect(listener.address, DEADLINE_MS);
      near.onData(() => {});
      const closed = new Promise<void>((resolve) => near.onClose(() => resolve()));
      await listener.close();
      await closed;
      const again = await network.listen({ ...options, address: listener.address });
      assert.equal(again.address, listener.address);
      await again.close();
      assert.equal(accepted, 1);
    },
  },
  {
    name: 'an address that is taken is refused',
    run: (under) =>
      withListener(under, {}, async (listener) => {
        await assert.rejects(under.network.listen(quiet(listener.address)), { code: 'EADDRINUSE' });
      }),
  },
];

/** 0, 1, 2 … with a period that no buffer size divides. */
export function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at++) bytes[at] = at % 251;
  return bytes;
}

function quiet(address: string): ListenOptions {
  return {
    address,
    onSocket: (socket) => socket.onData(() => {}),
    onHttp: async () => ({ status: 404, body: '' }),
    maximumHttpBodyBytes: 1000,
  };
}

async function withListener(
  { network, address }: NetworkUnderTest,
  more: { unixPath?: string },
  body: (listener: Listener, accepted: () => Promise<Socket>) => Promise<void>,
): Promise<void> {
  const sockets: Socket[] = [];
  const waiting: ((socket: Socket) => void)[] = [];
  const onSocket = (socket: Socket): void => {
    const waiter = waiting.shift();
    if (waiter === undefined) sockets.push(socket);
    else waiter(socket);
  };
  const listener = await network.listen({ ...quiet(address), ...more, onSocket });
  try {
    await body(listener, () => {
      const socket = sockets.shift();
      return socket === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(socket);
    });
  } finally {
    await listener.close();
  }
}

/** Gathers what a socket receives; the result waits for the first `size` bytes. */
function collect(socket: Socket): (size: number) => Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  let arrived = (): void => {};
  socket.onData((chunk) => {
    chunks.push(Buffer.from(Uint8Array.from(chunk)));
    size += chunk.length;
    arrived();
  });
  return (wanted) =>
    new Promise((resolve) => {
      arrived = () => {
        if (size >= wanted) resolve(Buffer.concat(chunks));
      };
      arrived();
    });
}

/** Time enough for the system to move what it can move without the receiver. */
async function roundsOfTheLoop(): Promise<void> {
  for (let round = 0; round < 50; round++) await new Promise((resolve) => setImmediate(resolve));
}
