// The small pure parts of the command line: tables, paths, policies, and
// reading what the kernel says about mounts.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { COMMAND_FILE } from '../../../src/cli/command-file.js';
import { nameList } from '../../../src/cli/commands/options.js';
import { scrubText } from '../../../src/cli/commands/scrub.js';
import { configTemplate } from '../../../src/cli/config-template.js';
import { CommandFailure, describeFailure } from '../../../src/cli/failure.js';
import { chooseAttributeTimeoutMs, chooseBinding } from '../../../src/cli/mounting/binding.js';
import { isOurs, parseMountInfo } from '../../../src/cli/mounting/mounts.js';
import { selectServer } from '../../../src/cli/open-server.js';
import { formatTime, table } from '../../../src/cli/output.js';
import { innerPath, socketPath } from '../../../src/cli/paths.js';
import { afterExit } from '../../../src/cli/supervisor/restart-policy.js';
import { formatSize, parseSize } from '../../../src/config/values.js';
import { parseConfig } from '../../../src/config.js';
import { ServiceError } from '../../../src/protocol/errors.js';

const CONFIG = parseConfig(configTemplate({ dataServers: 3, basePort: 7600 }), '/srv/nmrfs.yaml');

const RED = '\u001b[31mlonger\u001b[0m';

describe('tables', () => {
  it('align columns, numbers to the right, colours not counted', () => {
    const text = table(
      [{ title: 'NAME' }, { title: 'N', right: true }, { title: 'END' }],
      [
        ['a', '1', 'x'],
        [RED, '1000', ''],
      ],
    );
    assert.deepEqual(text.replace(RED, 'longer').split('\n').slice(1), ['a          1  x', 'longer  1000']);
  });
});

describe('the last line of a scrub', () => {
  const nothing = { running: false, done: 0, total: 0, dissents: 0, repaired: 0, unreadable: 0, orphansRemoved: 0 };

  it('has singular and plural', () => {
    assert.equal(
      scrubText({ ...nothing, done: 1, repaired: 1, orphansRemoved: 1 }),
      '1 block voted on: 0 with dissent, 1 replica repaired, 0 without a quorum, 1 version of no file removed',
    );
    assert.equal(
      scrubText({ ...nothing, done: 2 }),
      '2 blocks voted on: 0 with dissent, 0 replicas repaired, 0 without a quorum, 0 versions of no file removed',
    );
  });
});

describe('times and sizes', () => {
  it('are printed for people, before 1970 too', () => {
    assert.equal(formatTime(1_234_567_891n), '1970-01-01T00:00:01.234567Z');
    assert.equal(formatTime(-1_000_000_000n), '1969-12-31T23:59:59.000000Z');
    assert.equal(formatSize(131_072), '128 KiB');
    assert.equal(formatSize(1_610_612_736), '1.5 GiB');
  });

  it('are read only where they are whole bytes', () => {
    for (const text of ['', 'KiB', '-1', '1.0001 KiB', '1 kb', '1e3', '9999999999999999999']) {
      assert.equal(parseSize(text), undefined, text);
    }
  });
});

describe('a path on the command line', () => {
  it('is one within the file system, or one below the mount point', () => {
    assert.equal(innerPath(CONFIG, '/a.txt'), '/a.txt');
    assert.equal(innerPath(CONFIG, '/srv/mnt/sub/a.txt'), '/sub/a.txt');
    assert.equal(innerPath(CONFIG, '/srv/mnt'), '/');
    assert.equal(innerPath(CONFIG, '/srv/mntother'), '/srv/mntother');
    assert.equal(innerPath(CONFIG, '/sub/../a.txt'), '/a.txt');
  });

  it('is below the root when it is neither', () => {
    assert.equal(innerPath(CONFIG, 'a.txt'), '/a.txt');
    assert.equal(innerPath(CONFIG, '../../a.txt'), '/a.txt');
  });
});

describe('a Unix-domain socket', () => {
  it('is used only where its path fits into a socket address', () => {
    assert.equal(socketPath(CONFIG, 'data1'), '/srv/nmrfs-data/run/data1.sock');
    assert.equal(socketPath({ ...CONFIG, runDirectory: join('/', 'x'.repeat(100)) }, 'data1'), undefined);
  });
});

describe('the server that --id names', () => {
  it('is found by name or by number', () => {
    assert.equal(selectServer(CONFIG.dataservers, 'data2').number, 2);
    assert.equal(selectServer(CONFIG.dataservers, '3').server.name, 'data3');
    assert.equal(selectServer(CONFIG.metaservers, undefined).server.name, 'meta1');
  });

  it('is asked for when it is not clear', () => {
    assert.throws(
      () => selectServer(CONFIG.dataservers, undefined),
      /which one\? --id takes one of data1, data2, data3/,
    );
    assert.throws(() => selectServer(CONFIG.dataservers, '4'), /no such server/);
  });
});

describe('child processes of the command line', () => {
  it('run the command itself, whatever folder their parent is in', () => {
    assert.ok(existsSync(COMMAND_FILE), COMMAND_FILE);
  });
});

describe('a list of servers', () => {
  it('holds each name once, whatever the order', () => {
    assert.deepEqual(nameList('data2, data1,data2'), ['data2', 'data1']);
  });
});

describe('when a supervised process ends', () => {
  const table: [status: number | null, crashes: number, blank: boolean, decision: string][] = [
    [0, 0, false, 'start after 100'],
    [1, 0, false, 'start after 100'],
    [1, 1, false, 'start after 200'],
    [1, 5, false, 'start after 3200'],
    [1, 6, false, 'start after 5000'],
    [1, 60, false, 'start after 5000'],
    [null, 0, false, 'start after 100'],
    [null, 0, true, 'start blank after 100'],
    [86, 0, false, 'leave'],
    [86, 9, true, 'leave'],
    [87, 9, false, 'start after 0'],
    [87, 0, true, 'start blank after 0'],
    [88, 9, false, 'start blank after 0'],
  ];
  for (const [status, crashes, blank, expected] of table) {
    it(`status ${status}, ${crashes} crashes before${blank ? ', to be wiped' : ''}: ${expected}`, () => {
      const decision = afterExit(status, crashes, blank);
      const text =
        decision.action === 'leave' ? 'leave' : `start ${decision.blank ? 'blank ' : ''}after ${decision.delayMs}`;
      assert.equal(text, expected);
    });
  }
});

describe('the mounts of this machine', () => {
  const text = [
    '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
    '90 22 0:50 / /srv/my\\040mnt rw,nosuid shared:5 master:1 - fuse.nmrfs nmrfs rw,user_id=0',
    '91 22 0:51 / /mnt/other rw - fuse.sshfs host: rw',
    '',
  ].join('\n');

  it('are read with all optional fields and escapes', () => {
    assert.deepEqual(
      parseMountInfo(text).map(({ directory, type, source }) => [directory, type, source]),
      [
        ['/', 'ext4', '/dev/sda1'],
        ['/srv/my mnt', 'fuse.nmrfs', 'nmrfs'],
        ['/mnt/other', 'fuse.sshfs', 'host:'],
      ],
    );
  });

  it('are ours only when they say so', () => {
    assert.deepEqual(parseMountInfo(text).map(isOurs), [false, true, false]);
  });
});

describe('the binding', () => {
  it('is the kernel protocol unless something else is asked for', () => {
    assert.equal(chooseBinding('fuse-native'), 'fuse-native');
    assert.equal(chooseBinding('auto'), 'kernel');
  });

  it('decides how long the kernel may believe what it knows, unless that is said', () => {
    assert.equal(chooseAttributeTimeoutMs('auto', 'kernel'), 10_000);
    assert.equal(chooseAttributeTimeoutMs('auto', 'fuse-native'), 1000);
    assert.equal(chooseAttributeTimeoutMs(7, 'fuse-native'), 7);
  });
});

describe('a failure', () => {
  it('is told in one line where its cause is known, with its stack where it is a defect', () => {
    assert.deepEqual(describeFailure(new CommandFailure('no', 2)), { text: 'no', status: 2 });
    assert.deepEqual(describeFailure(new ServiceError('REFUSED', 'hooks are off')), {
      text: 'hooks are off',
      status: 1,
    });
    assert.match(describeFailure(new TypeError('x')).text, /TypeError: x\n.* at /s);
  });
});
