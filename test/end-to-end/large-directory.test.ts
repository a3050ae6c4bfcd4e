// A directory with very many entries, listed through a mount in small steps
// while other entries come and go: what stays is listed, once.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'mocha';
import { type FileService, ROOT_INODE } from '../../src/protocol/services/files.js';
import { connectRemote, type Remote } from '../../src/protocol/wire/client.js';
import { silentLog } from '../../src/runtime/log.js';
import { nodeRuntime } from '../../src/runtime/node/runtime.js';
import { Cluster } from '../support/cluster.js';
import { requireFuse } from '../support/require-fuse.js';

const ENTRIES = 100_000;
const AT_ONCE = 200;
const CALLER = { uid: 0, gid: 0 };

/** Lists by getdents64(2), with a buffer of each size; stops now and then until it is told to go on. */
const LISTER = `
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def listing(path, size):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    buffer = ctypes.create_string_buffer(size)
    calls = 0
    while True:
        count = libc.getdents64(fd, buffer, size)
        if count < 0: raise OSError(ctypes.get_errno(), 'getdents64')
        calls += 1
        at = 0
        while at < count:
            length = struct.unpack_from('H', buffer, at + 16)[0]
            yield buffer.raw[at + 19:at + length].split(b'\\0')[0].decode()
            at += length
        if calls % (150000 // size) == 1:
            print('step', flush=True)
            sys.stdin.readline()
        if count == 0: break
    os.close(fd)
for size in map(int, sys.argv[2:]):
    seen = {}
    for name in listing(sys.argv[1], size): seen[name] = seen.get(name, 0) + 1
    twice = [name for name, count in seen.items() if count > 1]
    kept = sum(1 for name in seen if name.startswith('kept-'))
    print('listed', len(twice), kept, '.' in seen and '..' in seen, flush=True)
`;

describe('a directory of a hundred thousand entries', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let remote: Remote;

  before(async function () {
    requireFuse(this);
    cluster = await Cluster.start({ servers: 1 });
    const { mediator } = await cluster.status();
    const options = { name: 'mediator', address: mediator.address, deadlineMs: 60_000, whileDown: 'wait' } as const;
    remote = connectRemote(options, { ...nodeRuntime({ logLevel: 'error', logName: 'test' }), log: silentLog });
    // Through the mount it would take several times as long.
    const files = remote.service<FileService>('files');
    const { attributes } = await files.mkdir({ parent: ROOT_INODE, name: 'large', mode: 0o755, caller: CALLER });
    const parent = attributes.inode;
    let made = 0;
    const make = async () => {
      while (made < ENTRIES) {
        const name = `kept-${made++}`;
        await files.mknod({ parent, name, kind: 'fifo', mode: 0o644, device: 0, caller: CALLER });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, make));
  });

  after(async () => {
    await remote?.close();
    await cluster?.destroy();
  });

  it('lists what stays, each once, while others come and go', async () => {
    const directory = join(cluster.mountPoint, 'large');
    const parameters = ['-u', '-c', LISTER, directory, '1024', '32768'];
    const lister = spawn('timeout', ['-k', '5', '200', 'python3', ...parameters], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const listed: string[] = [];
    let changes = 0;
    // With every step of the listing some come, some go, in front of where it is and behind.
    for await (const line of createInterface(lister.stdout)) {
      if (line !== 'step') {
        listed.push(line);
        continue;
      }
      const names = (step: number) => Array.from({ length: 10 }, (_, n) => join(directory, `passing-${step}-${n}`));
      await Promise.all(names(changes).map((name) => writeFile(name, '')));
      if (changes > 0) await Promise.all(names(changes - 1).map((name) => unlink(name)));
      changes++;
      lister.stdin.write('\n');
    }
    assert.deepEqual(listed, Array(2).fill(`listed 0 ${ENTRIES} True`));
    assert.ok(changes > 20, `${changes} changes`);
  });
});
