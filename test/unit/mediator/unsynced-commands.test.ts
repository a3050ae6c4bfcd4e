import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type Message, UnsyncedCommands } from '../../../src/mediator/metadata/unsynced-commands.js';
import { CALLER } from './fixture.js';

const mkdir = (name: string): Message => ({
  name: 'make',
  timeNs: 1n,
  request: {
    ...{ parent: 1, name, kind: 'directory', mode: 0o755, caller: CALLER, device: 0, target: '' },
    ...{ blockSizeBytes: 4096, exclusive: true },
  },
  durable: false,
});
const rmdir = (name: string): Message => ({ name: 'rmdir', timeNs: 1n, request: { parent: 1, name }, durable: false });
const made = (inode: number) => ({ attributes: { inode }, created: true, changed: [] }) as never;
const done = {} as never;

/** What is carried out again, as name and given number. */
async function replay(commands: UnsyncedCommands, refused?: string) {
  const seen: string[] = [];
  const outcome = await commands.replay(async ({ request }, made) => {
    assert.equal((request as { inode?: number }).inode ?? 0, made);
    const { name, inode = '' } = request as { name: string; inode?: number };
    seen.push(`${name}${inode}`);
    return name !== refused;
  });
  return { seen: seen.join(), ...outcome };
}

function known(): UnsyncedCommands {
  const commands = new UnsyncedCommands();
  commands.markDurable(commands.answered);
  return commands;
}

describe('commands that may not be on the disk', () => {
  it('are carried out again in the order in which they were sent, with the numbers that they gave', async () => {
    const commands = known();
    commands.add(rmdir('second'), done, 2);
    commands.add(mkdir('third'), made(7), 3);
    commands.add(rmdir('first'), done, 1);
    const all = { seen: 'first,second,third7', done: 3, lost: 0 };
    assert.deepEqual(await replay(commands), all);
    assert.deepEqual(await replay(commands), all, 'and the next time too');
  });

  it('are those that were answered after what is known to be there', async () => {
    const commands = known();
    commands.add(rmdir('late'), done, 3);
    const { answered } = commands;
    commands.add(rmdir('early'), done, 1);
    commands.add(rmdir('last'), done, 4);
    commands.markDurable(answered);
    assert.equal((await replay(commands)).seen, 'early,last');
    assert.equal(commands.isEmpty, false);
    commands.markDurable(commands.answered);
    assert.deepEqual(await replay(commands), { seen: '', done: 0, lost: 0 });
    assert.equal(commands.isEmpty, true);
  });

  it('are lost from the first on that can not be carried out', async () => {
    const commands = known();
    for (const [place, name] of ['a', 'b', 'c'].entries()) commands.add(rmdir(name), done, place + 1);
    assert.deepEqual(await replay(commands, 'b'), { seen: 'a,b', done: 1, lost: 2 });
    assert.deepEqual(await replay(commands), { seen: 'a', done: 1, lost: 0 });
  });

  it('are lost from the first on whose outcome nobody knows', async () => {
    const commands = known();
    commands.add(rmdir('a'), done, 1);
    commands.addUnknown('make', 2);
    commands.add(rmdir('c'), done, 3);
    assert.deepEqual(await replay(commands), { seen: 'a', done: 1, lost: 2 });
  });

  it('are not lost for a write whose outcome nobody knows: none is built upon it', async () => {
    const commands = known();
    commands.addUnknown('commit', 1);
    commands.add(rmdir('a'), done, 2);
    assert.deepEqual(await replay(commands), { seen: 'a', done: 1, lost: 0 });
    assert.equal(commands.isEmpty, false);
  });

  it('are lost while nothing is known of what an earlier mediator was answered', async () => {
    const commands = new UnsyncedCommands();
    commands.add(rmdir('a'), done, 1);
    assert.deepEqual(await replay(commands), { seen: '', done: 0, lost: 2 });
  });

  it('stay as they are when it is not known whether one was carried out', async () => {
    const commands = known();
    commands.add(rmdir('a'), done, 1);
    const broken = new Error('the connection broke');
    await assert.rejects(
      commands.replay(() => Promise.reject(broken)),
      broken,
    );
    assert.equal((await replay(commands)).seen, 'a');
  });

  it('are lost when one before them is given up while they are carried out again, and none is that came before it', async () => {
    const commands = known();
    for (const [place, name] of ['a', 'b', 'c'].entries()) commands.add(rmdir(name), done, 10 * place);
    const seen: string[] = [];
    const outcome = await commands.replay(async ({ request }) => {
      if (seen.push((request as { name: string }).name) === 1) commands.addUnknown('make', 15);
      return true;
    });
    assert.deepEqual([seen.join(), outcome], ['a,b', { done: 2, lost: 2 }]);
    assert.deepEqual(await replay(commands), { seen: 'a,b', done: 2, lost: 0 });
  });

  it('are few enough, also in bytes, and one whose outcome is unknown takes no more room than another', async () => {
    const commands = known();
    for (let place = 1; place < 10_000; place++) commands.addUnknown('make', place);
    assert.equal(commands.isCrowded, false);
    assert.deepEqual(await replay(commands), { seen: '', done: 0, lost: 1 });
    for (let place = 1; !commands.isCrowded; place++) commands.add(rmdir('a'), done, place);
    assert.equal((await replay(commands)).done, 4097);
    commands.markDurable(commands.answered);
    assert.equal(commands.isCrowded, false);
    const value = Buffer.alloc(64 * 1024);
    const setxattr: Message = {
      name: 'setxattr',
      timeNs: 1n,
      request: { inode: 1, name: 'user.a', value, mode: 'set' },
      durable: false,
    };
    let added = 0;
    for (; !commands.isCrowded; added++) commands.add(setxattr, done, added);
    assert.ok(added > 200 && added < 260, `${added} of 64 KiB`);
  });

  it('are known again after what an earlier mediator was answered is lost', async () => {
    const commands = new UnsyncedCommands();
    await replay(commands);
    commands.add(rmdir('a'), done, 1);
    assert.deepEqual(await replay(commands), { seen: 'a', done: 1, lost: 0 });
  });
});
