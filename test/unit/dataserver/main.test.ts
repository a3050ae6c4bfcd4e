// A data server as a process runs it: on a real port and a real disk, with the
// hooks' exits, and a store that is wiped or kept.
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { type RunDataserverOptions, runDataserver } from '../../../src/dataserver/main.js';
import type { BlockService, HookService } from '../../../src/protocol/services/blocks.js';
import { hashBlock } from '../../../src/protocol/values/hash.js';
import { connectRemote } from '../../../src/protocol/wire/client.js';
import { silentLog } from '../../../src/runtime/log.js';
import { nodeRuntime } from '../../../src/runtime/node/runtime.js';
import { freePorts } from '../../support/cluster.js';
import { content, first, key, putOne } from './harness.js';

const runtime = { ...nodeRuntime({ logLevel: 'error', logName: 'test' }), log: silentLog };

async function withFolder(action: (directory: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'nmrfs-data-'));
  try {
    await action(join(folder, 'store'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function withServer(
  directory: string,
  action: (blocks: BlockService, hooks: HookService, address: string) => Promise<void>,
  more: Partial<RunDataserverOptions> = {},
): Promise<void> {
  const options = {
    name: 'data1',
    number: 1,
    directory,
    testHooks: true,
    address: '127.0.0.1:0',
    blank: false,
    ...more,
  };
  const server = await runDataserver(options, runtime);
  const remote = connectRemote(
    { address: server.address, name: 'data1', deadlineMs: 5000, whileDown: 'wait' },
    runtime,
  );
  try {
    await action(remote.service('blocks'), remote.service('hooks'), server.address);
  } finally {
    await remote.close();
    await server.close();
  }
}

describe('a data server on its own address', () => {
  it('waits for a disk that is read-only at its start, says so to whoever asks, and opens the store then', () =>
    withFolder(async (directory) => {
      const { disk } = runtime;
      let isReadOnly = true;
      const replaceFile: typeof disk.replaceFile = async (path, bytes) => {
        if (isReadOnly)
          throw Object.assign(new Error(`EROFS: read-only file system, open '${path}'`), { code: 'EROFS' });
        await disk.replaceFile(path, bytes);
      };
      const guarded = { ...nodeRuntime({ logLevel: 'error', logName: 'test' }), log: silentLog };
      guarded.disk = new Proxy(disk, {
        get: (target, member) => {
          if (member === 'replaceFile') return replaceFile;
          const found: unknown = Reflect.get(target, member);
          return typeof found === 'function' ? found.bind(target) : found;
        },
      });
      const [port] = await freePorts(1);
      const address = `127.0.0.1:${port}`;
      const options = { name: 'data1', number: 1, directory, testHooks: true, address, blank: false };
      const opening = runDataserver(options, guarded);
      opening.catch(() => {});
      const remote = connectRemote({ address, name: 'data1', deadlineMs: 5000, whileDown: 'wait' }, runtime);
      try {
        await assert.rejects(remote.service<BlockService>('blocks').status({}), /read-only disk.*EROFS/);
        isReadOnly = false;
        await (await opening).close();
      } finally {
        isReadOnly = false;
        await remote.close();
        await (await opening).close();
      }
    }));

  it('serves blocks, keeps them, and starts anew when it is wiped', () =>
    withFolder(async (directory) => {
      const data = content(200_000, 1);
      let storeId = '';
      await withServer(directory, async (blocks) => {
        assert.deepEqual(await putOne(blocks, { ...key(0), data }), { state: 'stored', hash: hashBlock(data) });
        ({ storeId } = await blocks.status({}));
      });
      await withServer(directory, async (blocks) => {
        const { results } = await blocks.get({ items: [{ ...key(0), offset: 100_000, length: 10, data: true }] });
        const result = first(results);
        assert.ok(result.state === 'present' && result.hash === hashBlock(data));
        assert.deepEqual(Buffer.from(result.data ?? []), data.subarray(100_000, 100_010));
        assert.equal((await blocks.status({})).storeId, storeId);
      });
      await withServer(
        directory,
        async (blocks) => {
          const status = await blocks.status({});
          assert.equal(status.blocks, 0);
          assert.notEqual(status.storeId, storeId);
        },
        { blank: true },
      );
    }));

  it('lets its hooks end it', () =>
    withFolder(async (directory) => {
      const ended = new Promise<string>((resolve) => {
        const exits = { terminate: () => resolve('terminated'), restart: () => resolve('restarted') };
        withServer(directory, async (_blocks, hooks) => void (await hooks.terminate({})), { exits }).catch(() =>
          resolve('failed'),
        );
      });
      assert.equal(await ended, 'terminated');
    }));

  it('touches no file when its address is in use', () =>
    withFolder((directory) =>
      withServer(directory, async (_blocks, _hooks, address) => {
        const other = `${directory}-other`;
        await assert.rejects(
          runDataserver({ name: 'data1', number: 1, directory: other, testHooks: true, address, blank: true }, runtime),
          /EADDRINUSE|in use/,
        );
        await assert.rejects(readdir(other), { code: 'ENOENT' });
      }),
    ));

  it('rebuilds an index that was damaged or thrown away', () =>
    withFolder(async (directory) => {
      const data = content(50_000, 1);
      await withServer(directory, async (blocks) => void (await putOne(blocks, { ...key(0), data })));
      for (const spoil of [
        () => rm(join(directory, 'index'), { recursive: true }),
        () => writeFile(join(directory, 'index', 'data.mdb'), content(100_000, 3)),
        () => writeFile(join(directory, 'index.json'), 'nonsense'),
        async () => {
          // The last process died while it opened its index.
          const state = await readFile(join(directory, 'index.json'), 'utf8');
          await writeFile(join(directory, 'index.json'), state.replace('ready', 'opening'));
          await writeFile(join(directory, 'index', 'data.mdb'), content(100_000, 4));
        },
      ]) {
        await spoil();
        await withServer(directory, async (blocks) => {
          const { results } = await blocks.get({ items: [{ ...key(0), offset: 0, length: 1, data: false }] });
          const result = first(results);
          assert.ok(result.state === 'present' && result.hash === hashBlock(data));
        });
      }
    }));

  it('says what to do when its identity is gone', () =>
    withFolder(async (directory) => {
      await withServer(directory, async (blocks) => void (await putOne(blocks, { ...key(0), data: content(10, 1) })));
      await rm(join(directory, 'store.json'));
      await assert.rejects(
        withServer(directory, async () => {}),
        /store\.json is missing .* --blank/,
      );
      await writeFile(join(directory, 'store.json'), '{"format":1');
      await assert.rejects(
        withServer(directory, async () => {}),
        /store\.json is damaged/,
      );
    }));
});
