// Users without any rights mount, use and unmount through fusermount3.
import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'mocha';
import { Cluster, freePorts, isAlive, until } from '../../support/cluster.js';
import {
  nmrfsAsUser,
  nmrfsWithoutPrograms,
  openDevice,
  requireFusermount,
  runAsUser,
  shellAsUser,
  USER_ID,
  userFolder,
} from '../../support/ordinary-user.js';

describe('mounting as an ordinary user', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let folder: string;
  let mountPoint: string;
  let mediator: string;
  let closeDevice: (() => void) | undefined;

  before(async function () {
    requireFusermount(this);
    closeDevice = openDevice();
    folder = await userFolder('mnt');
    mountPoint = join(folder, 'mnt');
    cluster = await Cluster.start({ servers: 1 });
    assert.equal((await cluster.shell('echo everybody > a.txt && mkdir -m 777 shared')).status, 0);
    mediator = (await cluster.status()).mediator.address;
  });
  afterEach(async () => {
    if (await mountLine()) await runAsUser('/', 'fusermount3', '-uz', mountPoint);
  });
  after(async () => {
    await cluster?.destroy();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    closeDevice?.();
  });

  async function mountLine(directory = mountPoint): Promise<string | undefined> {
    const table = await readFile('/proc/mounts', 'utf8');
    return table.split('\n').find((line) => line.split(' ')[1] === directory);
  }

  async function must(...parameters: string[]): Promise<string> {
    const { status, stdout, stderr } = await nmrfsAsUser(folder, ...parameters);
    assert.equal(status, 0, stderr);
    return stdout;
  }

  it('mounts with nothing but the address of a mediator, by the kernel binding, for that user alone', async () => {
    await must('mount', 'mnt', '--mediator', mediator);
    const line = (await mountLine()) ?? '';
    assert.match(line, new RegExp(`^${mediator} \\S+ fuse\\.nmrfs rw,nosuid,nodev,.*user_id=${USER_ID},`));
    assert.doesNotMatch(line, /allow_other/);
    const used = await shellAsUser(mountPoint, 'cat a.txt && echo mine > shared/b.txt && cat shared/b.txt');
    assert.deepEqual([used.stdout, used.stderr], ['everybody\nmine\n', '']);
    assert.match((await shellAsUser(mountPoint, 'echo no > a.txt')).stderr, /Permission denied/);
    // Not even root sees what a user has mounted.
    await assert.rejects(readFile(join(mountPoint, 'a.txt')), { code: 'EACCES' });
    await must('umount', 'mnt');
    assert.equal(await mountLine(), undefined);
    assert.equal((await cluster.shell('cat shared/b.txt && stat -c %u shared/b.txt')).stdout, `mine\n${USER_ID}\n`);
  });

  it("refuses allow_other in fusermount3's own words", async function () {
    // What is refused is the administrator's choice of this very machine; where it is allowed there is nothing to refuse.
    if (/^user_allow_other$/m.test(await readFile('/etc/fuse.conf', 'utf8').catch(() => ''))) {
      process.stdout.write('skipped: /etc/fuse.conf allows allow_other here\n');
      // The machine's own setting, which a test must not change: there is no refusal to look at.
      this.skip();
    }
    const { status, stderr } = await nmrfsAsUser(folder, 'mount', 'mnt', '--mediator', mediator, '-o', 'allow_other');
    assert.equal(status, 1);
    assert.match(stderr, /^nmrfs: \S+: fusermount3: option allow_other only allowed if 'user_allow_other' is set.*\n$/);
    assert.equal(await mountLine(), undefined);
  });

  it('a mount in use is not unmounted; ending its process stores everything and takes it from its users', async () => {
    await must('mount', 'mnt', '--mediator', mediator);
    const user = shellAsUser(
      mountPoint,
      `exec 5> shared/open.txt; echo kept >&5; until [ -e ${folder}/enough ]; do sleep 0.1; done`,
    );
    await until('the file in use', async () => (await cluster.shell('ls shared')).stdout.includes('open.txt'));
    const busy = await nmrfsAsUser(folder, 'umount', 'mnt');
    assert.equal(busy.status, 1);
    assert.match(busy.stderr, /busy/);
    assert.notEqual(await mountLine(), undefined);
    const found = await shellAsUser(folder, `pgrep -U ${USER_ID} -f '[m]ount ${mountPoint} --foreground'`);
    process.kill(Number(found.stdout), 'SIGTERM');
    await until('the unmount', async () => (await mountLine()) === undefined);
    await until('the end of the process', async () => !isAlive(Number(found.stdout)));
    assert.equal((await cluster.shell('cat shared/open.txt')).stdout, 'kept\n');
    await writeFile(join(folder, 'enough'), '');
    await user;
  });

  it('umount and the next mount clear what a killed client has left', async () => {
    for (const clearing of ['umount', 'mount'] as const) {
      await must('mount', 'mnt', '--mediator', mediator);
      const found = await shellAsUser(folder, `pgrep -U ${USER_ID} -f '[m]ount ${mountPoint} --foreground'`);
      process.kill(Number(found.stdout), 'SIGKILL');
      await until('the dead mount', async () =>
        (await shellAsUser(folder, 'stat mnt')).stderr.includes('not connected'),
      );
      await must(clearing, 'mnt', ...(clearing === 'mount' ? ['--mediator', mediator] : []));
      assert.equal((await mountLine()) === undefined, clearing === 'umount');
    }
    assert.equal((await shellAsUser(mountPoint, 'cat a.txt')).stdout, 'everybody\n');
    await must('umount', 'mnt');
  });

  it('says what is missing where there is no fusermount3', async () => {
    const { status, stderr } = await nmrfsWithoutPrograms(folder, 'mount', 'mnt', '--mediator', mediator);
    assert.equal(status, 1);
    assert.match(stderr, /fusermount3 is not installed, .*apt install fuse3/);
  });

  it('up and down: a whole cluster of the user, whose root is theirs', async () => {
    const own = await userFolder();
    try {
      const ports = await freePorts(3);
      const server = (name: string, index: number) =>
        `{ name: ${name}, address: "127.0.0.1:${ports[index]}", directory: data/${name} }`;
      const lines = [
        `mediator: { address: "127.0.0.1:${ports[0]}" }`,
        `metaservers: [${server('meta1', 1)}]`,
        `dataservers: [${server('data1', 2)}]`,
      ];
      await writeFile(join(own, 'nmrfs.yaml'), `${lines.join('\n')}\n`);
      const up = await nmrfsAsUser(own, 'up', '--detach');
      assert.equal(up.status, 0, up.stderr);
      const used = await shellAsUser(own, 'echo own > mnt/c.txt && cat mnt/c.txt && stat -c %u mnt mnt/c.txt');
      assert.equal(used.stdout, `own\n${USER_ID}\n${USER_ID}\n`, used.stderr);
      const down = await nmrfsAsUser(own, 'down');
      assert.equal(down.status, 0, down.stderr);
      assert.equal(await mountLine(join(own, 'mnt')), undefined);
    } finally {
      await nmrfsAsUser(own, 'down');
      await rm(own, { recursive: true, force: true });
    }
  });
});
