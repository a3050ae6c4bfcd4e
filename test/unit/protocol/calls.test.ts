import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { FileError } from '../../../src/protocol/errors.js';
import { MAXIMUM_REQUESTS_IN_FLIGHT } from '../../../src/protocol/limits.js';
import type { CallOptions } from '../../../src/protocol/services/service.js';
import type { RemoteState } from '../../../src/protocol/wire/client.js';
import { settle } from '../../support/manual-clock.js';
import { BenchOfTwo, gate } from './bench-of-two.js';

interface Echo {
  echo(request: { value: number }, options?: CallOptions): Promise<{ value: number }>;
}

const outcomeUnknown = { name: 'ServiceError', code: 'OUTCOME_UNKNOWN' };
const unreachable = { name: 'ServiceError', code: 'UNREACHABLE' };
const deadline = { name: 'ServiceError', code: 'DEADLINE' };

describe('calls', () => {
  it('are pipelined, and each gets its own reply, in whatever order they are done', async () => {
    const bench = new BenchOfTwo();
    const gates = [gate<void>(), gate<void>(), gate<void>()];
    const started: number[] = [];
    await bench.serve({
      test: {
        async echo({ value }: { value: number }) {
          started.push(value);
          await gates[value]?.opened;
          return { value };
        },
      },
    });
    const echo = bench.remote().service<Echo>('test');
    const done: number[] = [];
    const calls = [0, 1, 2].map(async (value) => {
      done.push((await echo.echo({ value })).value);
    });
    await settle();
    assert.deepEqual(started, [0, 1, 2]);
    for (const index of [2, 0, 1]) {
      gates[index]?.open();
      await settle();
    }
    await Promise.all(calls);
    assert.deepEqual(done, [2, 0, 1]);
  });

  it('call methods of objects and of classes, on their own object', async () => {
    const bench = new BenchOfTwo();
    class Base {
      protected base = 1;
      async inherited() {
        return { value: this.base };
      }
    }
    class Service extends Base {
      #own = 2;
      async own() {
        return { value: this.#own };
      }
    }
    await bench.serve({ service: new Service() });
    const service = bench.remote().service<Record<string, (request: object) => Promise<object>>>('service');
    assert.deepEqual(await service.own?.({}), { value: 2 });
    assert.deepEqual(await service.inherited?.({}), { value: 1 });
  });

  it('reach nothing but the methods of the services', async () => {
    const bench = new BenchOfTwo();
    class Service {
      readonly field = 1;
      get getter(): () => Promise<object> {
        return async () => ({});
      }
      async method() {
        return {};
      }
    }
    await bench.serve({ service: new Service() });
    for (const name of [
      'toString',
      'constructor',
      'hasOwnProperty',
      '__proto__',
      'field',
      'getter',
      'none',
      'method.call',
      '',
    ]) {
      const service = bench.remote().service<Record<string, (request: object) => Promise<object>>>('service');
      await assert.rejects(async () => service[name]?.({}), { code: 'UNKNOWN_METHOD' }, name);
    }
    const other = bench.remote().service<Record<string, (request: object) => Promise<object>>>('toString');
    await assert.rejects(async () => other.call?.({}), { code: 'UNKNOWN_METHOD' });
  });

  it('fail with what the method failed with; unexpected errors are logged with their stack', async () => {
    const bench = new BenchOfTwo();
    await bench.serve({
      test: {
        posix: async () => {
          throw new FileError('ENOENT', 'no such file');
        },
        bug: () => {
          throw new TypeError('a bug');
        },
        nothing: async () => undefined,
        unfit: async () => ({ value: () => 1 }),
      },
    });
    const test = bench.remote().service<Record<string, (request: object) => Promise<object>>>('test');
    await assert.rejects(async () => test.posix?.({}), {
      name: 'FileError',
      code: 'ENOENT',
      message: 'ENOENT: no such file',
    });
    assert.equal(bench.log.named('request.failed').length, 0);
    await assert.rejects(async () => test.bug?.({}), { code: 'FAILED', message: 'a bug' });
    await assert.rejects(async () => test.nothing?.({}), { code: 'FAILED' });
    await assert.rejects(async () => test.unfit?.({}), { code: 'FAILED' });
    const failures = bench.log.named('request.failed');
    assert.equal(failures.length, 3);
    assert.match(String(failures[0]?.stack), /calls\.test/);
  });

  it('may be answered by a proxy before the service, also for methods that were used', async () => {
    const bench = new BenchOfTwo();
    await bench.serve({ test: { echo: async (request: object) => request } });
    const service = bench.remote().service<Echo>('test');
    const proxy = new Proxy(service, {
      get: (target, member) => (member === 'echo' ? (request: { value: number }) => target.echo(request) : undefined),
    });
    for (const value of [1, 2]) assert.deepEqual(await proxy.echo({ value }), { value });
  });

  it('that can not travel fail at once and harm no other', async () => {
    const bench = new BenchOfTwo();
    await bench.serve({ test: { echo: async (request: object) => request } });
    const test = bench.remote().service<Record<string, (request: object) => Promise<object>>>('test');
    await assert.rejects(async () => test.echo?.({ f: () => 1 }), { code: 'MALFORMED' });
    assert.deepEqual(await test.echo?.({ a: 1 }), { a: 1 });
  });

  it('fail with DEADLINE at the default or at their own; a late reply is dropped', async () => {
    const bench = new BenchOfTwo();
    const gates = [gate<void>(), gate<void>()];
    await bench.serve({
      test: {
        async echo({ value }: { value: number }) {
          await gates[value]?.opened;
          return { value };
        },
      },
    });
    const remote = bench.remote({ deadlineMs: 1000 });
    const echo = remote.service<Echo>('test');
    const outcomes: string[] = [];
    const note = (name: string, call: Promise<unknown>) =>
      void call.then(
        () => outcomes.push(`${name} done`),
        (error) => outcomes.push(`${name} ${error.code}`),
      );
    note('default', echo.echo({ value: 0 }));
    note('short', echo.echo({ value: 1 }, { deadlineMs: 50 }));
    await bench.clock.advance(49);
    assert.deepEqual(outcomes, []);
    await bench.clock.advance(1);
    assert.deepEqual(outcomes, ['short DEADLINE']);
    assert.deepEqual(await echo.echo({ value: 4 }), { value: 4 });
    await bench.clock.advance(950);
    assert.deepEqual(outcomes, ['short DEADLINE', 'default DEADLINE']);
    for (const { open } of gates) open();
    await settle();
    assert.equal(remote.state, 'up');
    assert.deepEqual(await echo.echo({ value: 5 }), { value: 5 });
    await bench.clock.advance(1000);
    assert.equal(bench.clock.pending, 0, 'no timer is left behind');
  });

  it('that miss the usual deadline while nothing is received break the connection', async () => {
    const bench = new BenchOfTwo();
    await bench.serve({ test: { echo: () => new Promise(() => {}) } });
    const remote = bench.remote();
    const echo = remote.service<Echo>('test');
    const states: RemoteState[] = [];
    remote.onStateChange((state) => states.push(state));
    const outcomes = Promise.allSettled([
      echo.echo({ value: 1 }, { deadlineMs: 50 }),
      echo.echo({ value: 2 }),
      echo.echo({ value: 3 }, { deadlineMs: 5000 }),
    ]);
    await bench.clock.advance(1000);
    assert.deepEqual(
      (await outcomes).map((outcome) => (outcome as PromiseRejectedResult).reason.code),
      ['DEADLINE', 'DEADLINE', 'OUTCOME_UNKNOWN'],
    );
    assert.equal(remote.fellSilent, true);
    await bench.clock.advance(20);
    assert.deepEqual(states, ['up', 'down', 'up']);
    assert.equal(remote.fellSilent, false);
  });

  it('that miss a deadline leave a connection on which others are answered', async () => {
    const bench = new BenchOfTwo();
    const served: Echo = { echo: ({ value }) => (value === 1 ? new Promise(() => {}) : Promise.resolve({ value })) };
    await bench.serve({ test: { ...served } });
    const remote = bench.remote();
    const echo = remote.service<Echo>('test');
    const late = assert.rejects(echo.echo({ value: 1 }), { code: 'DEADLINE' });
    await bench.clock.advance(500);
    assert.deepEqual(await echo.echo({ value: 2 }), { value: 2 });
    await bench.clock.advance(500);
    await late;
    assert.equal(remote.state, 'up');
  });

  it('end with CANCELLED when the caller aborts, and the method learns it', async () => {
    const bench = new BenchOfTwo();
    const aborted: string[] = [];
    const served = gate<void>();
    await bench.serve({
      test: {
        async echo(_request: object, options: CallOptions) {
          options.signal?.addEventListener('abort', () => {
            aborted.push('while running');
            served.open();
          });
          await served.opened;
          return { value: 1 };
        },
      },
    });
    const echo = bench.remote().service<Echo>('test');
    const controller = new AbortController();
    const call = echo.echo({ value: 1 }, { signal: controller.signal });
    await settle();
    controller.abort();
    await assert.rejects(call, { code: 'CANCELLED' });
    await settle();
    assert.deepEqual(aborted, ['while running']);
    await assert.rejects(echo.echo({ value: 1 }, { signal: controller.signal }), { code: 'CANCELLED' });
    assert.deepEqual(await echo.echo({ value: 1 }), { value: 1 });
  });

  it('abort on the server when their connection is gone', async () => {
    const bench = new BenchOfTwo();
    const aborted = gate<void>();
    await bench.serve({
      test: {
        echo(_request: object, options: CallOptions) {
          options.signal?.addEventListener('abort', () => aborted.open());
          return new Promise(() => {});
        },
      },
    });
    const remote = bench.remote();
    const call = remote.service<Echo>('test').echo({ value: 1 });
    const failed = assert.rejects(call, outcomeUnknown);
    await settle();
    await remote.close();
    await aborted.opened;
    await failed;
  });

  it('beyond the limit of the connection are held back until others are answered', async () => {
    const bench = new BenchOfTwo();
    const go = gate<void>();
    let running = 0;
    let most = 0;
    await bench.serve({
      test: {
        async echo(request: object) {
          most = Math.max(most, ++running);
          await go.opened;
          running--;
          return request;
        },
      },
    });
    const echo = bench.remote().service<Echo>('test');
    const calls = Array.from({ length: MAXIMUM_REQUESTS_IN_FLIGHT + 500 }, (_, value) => echo.echo({ value }));
    await settle();
    assert.equal(most, MAXIMUM_REQUESTS_IN_FLIGHT);
    go.open();
    const results = await Promise.all(calls);
    assert.ok(results.every(({ value }, index) => value === index));
    assert.equal(most, MAXIMUM_REQUESTS_IN_FLIGHT);
  });
});

describe('a remote', () => {
  it('fails its calls at once while it is down, or lets them wait until their deadline, as it was told', async () => {
    const bench = new BenchOfTwo();
    const failing = bench.remote({ whileDown: 'fail' });
    const waiting = bench.remote({ whileDown: 'wait' });
    await settle();
    assert.deepEqual([failing.state, waiting.state], ['down', 'down']);
    await assert.rejects(failing.service<Echo>('test').echo({ value: 1 }), unreachable);
    const late = assert.rejects(waiting.service<Echo>('test').echo({ value: 1 }, { deadlineMs: 100 }), deadline);
    const served = waiting.service<Echo>('test').echo({ value: 2 });
    await bench.clock.advance(100);
    await late;
    await bench.serve({ test: { echo: async (request: object) => request } });
    await bench.clock.advance(500);
    assert.deepEqual(await served, { value: 2 });
    assert.deepEqual([failing.state, waiting.state], ['up', 'up']);
  });

  it('fails all calls at once when the connection breaks, tells its state first, and comes back by itself', async () => {
    const bench = new BenchOfTwo();
    const services = {
      test: { echo: ({ value }: { value: number }) => (value < 0 ? new Promise(() => {}) : { value }) },
    };
    const first = await bench.serve(services);
    const remote = bench.remote({ whileDown: 'fail' });
    const story: string[] = [remote.state];
    remote.onStateChange((state) => story.push(state));
    await settle();
    const echo = remote.service<Echo>('test');
    const broken = [-1, -2].map((value) => echo.echo({ value }).catch((error) => story.push(error.code)));
    await settle();
    await first.close();
    await Promise.all(broken);
    await bench.clock.advance(5_000);
    await bench.serve(services);
    await bench.clock.advance(500);
    assert.deepEqual(story, ['connecting', 'up', 'down', 'OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN', 'up']);
    assert.deepEqual(await echo.echo({ value: 3 }), { value: 3 });
  });

  it('fails those that were held back with those that were sent when the connection breaks, also where calls wait for it', async () => {
    const bench = new BenchOfTwo();
    const first = await bench.serve({ test: { echo: () => new Promise(() => {}) } });
    const echo = bench.remote({ whileDown: 'wait' }).service<Echo>('test');
    await settle();
    const sent = Array.from({ length: MAXIMUM_REQUESTS_IN_FLIGHT }, (_, value) => echo.echo({ value }).catch(String));
    const heldBack = assert.rejects(echo.echo({ value: -1 }), unreachable);
    await first.close();
    await heldBack;
    await Promise.all(sent);
    const waiting = echo.echo({ value: 1 });
    const got: number[] = [];
    await bench.serve({ test: { echo: ({ value }: { value: number }) => ({ value: got.push(value) }) } });
    await bench.clock.advance(500);
    await waiting;
    assert.deepEqual(got, [1]);
  });

  it('knocks with growing pauses, of half a second at most', async () => {
    const bench = new BenchOfTwo();
    const remote = bench.remote();
    await bench.clock.advance(60_000);
    const attempts = bench.log.named('connection.down').length;
    // 0.75 of 20, 40, 80, 160, 320 and then always 500 ms.
    assert.equal(attempts, 1 + 5 + Math.floor((60_000 - 465) / 375));
    await remote.close();
  });

  it('does nothing more once it is closed', async () => {
    const bench = new BenchOfTwo();
    const remote = bench.remote();
    const waiting = assert.rejects(remote.service<Echo>('test').echo({ value: 1 }), unreachable);
    await settle();
    await remote.close();
    await waiting;
    await assert.rejects(remote.service<Echo>('test').echo({ value: 1 }), unreachable);
    await bench.clock.advance(10_000);
    assert.equal(bench.clock.pending, 0);
    assert.equal(remote.state, 'down');
  });

  it('prefers the Unix-domain socket and falls back to TCP', async () => {
    const bench = new BenchOfTwo();
    await bench.serve({ test: {} }, { unixPath: '/run/data1.sock' });
    const [near, far] = [bench.remote({ unixPath: '/run/data1.sock' }), bench.remote({ unixPath: '/run/none.sock' })];
    await settle();
    assert.deepEqual([near.state, far.state], ['up', 'up']);
    const peers = bench.log.named('connection.up').map(({ peer }) => peer);
    assert.deepEqual(peers, ['unix:/run/data1.sock', 'host:7000']);
  });

  it('survives a listener that throws, and says so in the log', async () => {
    const bench = new BenchOfTwo();
    await bench.serve({ test: { echo: async (request: object) => request } });
    const remote = bench.remote();
    remote.onStateChange(() => {
      throw new Error('listener');
    });
    assert.deepEqual(await remote.service<Echo>('test').echo({ value: 1 }), { value: 1 });
    assert.equal(bench.log.named('connection.listener_failed').length, 1);
  });

  it('can be awaited and printed without a call', async () => {
    const bench = new BenchOfTwo();
    const service = bench.remote().service<Echo>('test');
    assert.equal(await service, service);
  });
});
