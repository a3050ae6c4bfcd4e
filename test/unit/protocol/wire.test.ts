import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  HANDSHAKE_DEADLINE_MS,
  MAXIMUM_REQUESTS_IN_FLIGHT,
  REPLY_QUEUE_HIGH_BYTES,
  REPLY_QUEUE_POLL_MS,
} from '../../../src/protocol/limits.js';
import { ClientHandshake, NONCE_BYTES, PROTOCOL_VERSION } from '../../../src/protocol/wire/authentication.js';
import { encodeReply, encodeRequest, type Message } from '../../../src/protocol/wire/codec.js';
import { FrameReader } from '../../../src/protocol/wire/frame-reader.js';
import type { Socket } from '../../../src/runtime/network.js';
import { settle } from '../../support/manual-clock.js';
import { ADDRESS, BenchOfTwo } from './bench-of-two.js';

/** A client that speaks the wire's language by hand, right or wrong. */
class RawClient {
  readonly messages: Message[] = [];
  readonly #reader = new FrameReader((message) => this.messages.push(message));
  readonly #handshake: ClientHandshake;
  #greeting = Buffer.alloc(0);
  closed = false;
  open = false;

  constructor(
    readonly socket: Socket,
    secret?: string,
  ) {
    this.#handshake = new ClientHandshake(secret, new Uint8Array(NONCE_BYTES).fill(1));
    socket.onClose(() => {
      this.closed = true;
    });
    socket.onData((chunk) => (this.open ? this.#reader.push(chunk) : this.#greet(chunk)));
  }

  /** Through the handshake. */
  static async open(bench: BenchOfTwo): Promise<RawClient> {
    const client = await RawClient.connect(bench);
    client.hello();
    await settle();
    assert.ok(client.open);
    return client;
  }

  static async connect(bench: BenchOfTwo): Promise<RawClient> {
    return new RawClient(await bench.network.connect(ADDRESS, 1000));
  }

  hello(): void {
    this.socket.write([this.#handshake.begin()]);
  }

  #greet(chunk: Uint8Array): void {
    this.#greeting = Buffer.concat([this.#greeting, chunk]);
    const body = this.#greeting.subarray(4, 4 + this.#greeting.readUInt32BE(0));
    this.open = this.#handshake.receive(body).state === 'open';
  }
}

describe('a server on the wire', () => {
  const echo = { test: { echo: async (request: object) => request } };

  const wrong: Record<string, Uint8Array[]> = {
    'sends garbage': [Buffer.alloc(100, 0xff)],
    'claims a frame of four gigabytes': [Buffer.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1)],
    'uses a number twice': [...encodeRequest(1, 'test.wait', {}), ...encodeRequest(1, 'test.wait', {})],
    'sends a reply': encodeReply(1, {}),
    'sends more requests at once than allowed': Array.from({ length: MAXIMUM_REQUESTS_IN_FLIGHT + 1 }, (_, id) =>
      Buffer.concat(encodeRequest(id, 'test.wait', {})),
    ),
  };
  for (const [what, chunks] of Object.entries(wrong)) {
    it(`closes the connection of a client that ${what}, logs it, and serves the others on`, async () => {
      const bench = new BenchOfTwo();
      await bench.serve({ test: { ...echo.test, wait: () => new Promise(() => {}) } });
      const [bad, good] = [await RawClient.open(bench), await RawClient.open(bench)];
      bad.socket.write(chunks);
      await settle();
      assert.ok(bad.closed);
      assert.equal(bench.log.named('connection.malformed').length, 1);
      good.socket.write(encodeRequest(1, 'test.echo', { fine: true }));
      await settle();
      assert.deepEqual(good.messages, [{ kind: 'reply', id: 1, body: { fine: true } }]);
    });
  }

  it('forgets a client that closes in the middle of a frame or of its requests', async () => {
    const bench = new BenchOfTwo();
    let release = (): void => {};
    const answered = new Promise<object>((resolve) => {
      release = () => resolve({});
    });
    await bench.serve({ test: { wait: () => answered } });
    const client = await RawClient.open(bench);
    client.socket.write(encodeRequest(1, 'test.wait', {}));
    client.socket.write([Buffer.concat(encodeRequest(2, 'test.wait', { data: Buffer.alloc(1000) })).subarray(0, 500)]);
    await settle();
    client.socket.destroy();
    await settle();
    release();
    await settle();
    assert.deepEqual(
      bench.log.events.filter(({ level }) => level !== 'debug'),
      [],
    );
    assert.equal(bench.clock.pending, 0);
  });

  it('stops reading requests of a client that does not take its replies, and goes on when it does', async () => {
    const bench = new BenchOfTwo();
    const size = 1024 * 1024;
    let started = 0;
    await bench.serve({
      test: {
        async get() {
          started++;
          return { data: Buffer.alloc(size) };
        },
      },
    });
    const client = await RawClient.open(bench);
    client.socket.pause();
    const requests = 100;
    for (let id = 1; id <= requests; id++) {
      client.socket.write(encodeRequest(id, 'test.get', {}));
      await settle();
    }
    const limit = REPLY_QUEUE_HIGH_BYTES / size;
    assert.ok(started >= limit && started < limit + 3, `${started} started`);
    client.socket.resume();
    for (let turn = 0; client.messages.length < requests && turn < 1000; turn++) {
      await bench.clock.advance(REPLY_QUEUE_POLL_MS);
    }
    assert.equal(client.messages.length, requests);
    await bench.clock.advance(REPLY_QUEUE_POLL_MS);
    assert.equal(bench.clock.pending, 0, 'nothing polls when nothing waits');
  });

  it('gives up on a client that does not greet in time', async () => {
    const bench = new BenchOfTwo();
    await bench.serve(echo);
    const client = await RawClient.connect(bench);
    await bench.clock.advance(HANDSHAKE_DEADLINE_MS - 1);
    assert.ok(!client.closed);
    await bench.clock.advance(1);
    assert.ok(client.closed);
  });

  it('reads nothing but tiny frames before the handshake is through', async () => {
    const bench = new BenchOfTwo();
    await bench.serve(echo, { secret: 'secret' });
    for (const bytes of [Buffer.of(0, 0, 0x10, 0), Buffer.alloc(4), Buffer.concat(encodeRequest(1, 'test.echo', {}))]) {
      const client = await RawClient.connect(bench);
      client.socket.write([bytes, Buffer.alloc(10_000)]);
      await settle();
      assert.ok(client.closed);
    }
  });
});

describe('the handshake', () => {
  const echo = { test: { echo: async (request: object) => request } };
  const cases: [server: string | undefined, client: string | undefined, outcome: 'up' | 'REFUSED'][] = [
    [undefined, undefined, 'up'],
    ['secret', 'secret', 'up'],
    ['secret', 'hunter2', 'REFUSED'],
    ['secret', undefined, 'REFUSED'],
    ['secret', '', 'REFUSED'],
    [undefined, 'secret', 'REFUSED'],
  ];
  for (const [server, client, outcome] of cases) {
    it(`server ${server ?? 'without secret'}, client ${client ?? 'without secret'}: ${outcome}`, async () => {
      const bench = new BenchOfTwo();
      await bench.serve(echo, server === undefined ? {} : { secret: server });
      const remote = bench.remote(client === undefined ? {} : { secret: client });
      const call = remote.service<{ echo(request: object): Promise<object> }>('test').echo({ a: 1 });
      if (outcome === 'up') {
        assert.deepEqual(await call, { a: 1 });
        return;
      }
      await assert.rejects(call, { name: 'ServiceError', code: 'REFUSED' });
      assert.equal(remote.state, 'down');
      assert.ok(bench.log.named('auth.refused').length > 0);
      assert.ok(!JSON.stringify(bench.log.events).includes('hunter2'), 'no secret in the log');
    });
  }

  it('lets a client in that was refused as soon as the server agrees', async () => {
    const bench = new BenchOfTwo();
    const first = await bench.serve(echo, { secret: 'one' });
    const remote = bench.remote({ secret: 'two' });
    await bench.clock.advance(100);
    await first.close();
    await bench.serve(echo, { secret: 'two' });
    await bench.clock.advance(1000);
    assert.equal(remote.state, 'up');
  });

  it('accepts no proof a second time, nor its own sent back', async () => {
    const bench = new BenchOfTwo();
    await bench.serve(echo, { secret: 'secret' });
    // A man in the middle who has recorded a client's proof …
    const knowing = new ClientHandshake('secret', new Uint8Array(NONCE_BYTES).fill(1));
    const exchange = async (proof?: Uint8Array): Promise<{ proof: Uint8Array; answer: Buffer }> => {
      const socket = await bench.network.connect(ADDRESS, 1000);
      const answers: Buffer[] = [];
      socket.onClose(() => {});
      socket.onData((chunk) => answers.push(Buffer.from(Uint8Array.from(chunk))));
      socket.write([knowing.begin()]);
      await settle();
      const challenge = answers[0]?.subarray(4) ?? Buffer.alloc(0);
      const fresh = new ClientHandshake('secret', new Uint8Array(NONCE_BYTES).fill(1)).receive(challenge);
      assert.ok(fresh.state === 'going');
      socket.write([proof ?? fresh.send]);
      await settle();
      return { proof: fresh.send, answer: answers[1] ?? Buffer.alloc(0) };
    };
    const recorded = await exchange();
    assert.equal(recorded.answer[4], 3, 'the first time it is a proof');
    assert.equal((await exchange(recorded.proof)).answer[4], 4, 'the second time it is refused');
    assert.equal((await exchange(recorded.answer)).answer[4], 4, "the server's own is refused");
  });

  it('refuses another version by name', () => {
    const handshake = new ClientHandshake(undefined, new Uint8Array(NONCE_BYTES));
    const challenge = Buffer.concat([Buffer.of(2, 0, PROTOCOL_VERSION + 1, 0), Buffer.alloc(NONCE_BYTES)]);
    const step = handshake.receive(challenge);
    assert.ok(step.state === 'refused');
    assert.match(step.reason, new RegExp(`protocol ${PROTOCOL_VERSION + 1}`));
  });
});
