// The namespace against a model that knows no tables; crashes at random
// moments; and the same commands on two storages.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { inodeMadeBy } from '../../../src/mediator/metadata/unsynced-commands.js';
import { FileError } from '../../../src/protocol/errors.js';
import type { Command } from '../../../src/protocol/services/metadata.js';
import { checkConsistency } from './consistency.js';
import {
  dump,
  lmdbPlaces,
  memoryPlaces,
  type PlaceKind,
  slowMemoryPlaces,
  TestMetaserver,
  withPlace,
  withTables,
} from './harness.js';
import { Model, ModelError, type ModelNode } from './model.js';
import { RandomCommands } from './random-commands.js';

/** 'done', 'conflict', or the code of the error. @param made is told which inode it made */
async function outcomeOf(
  meta: TestMetaserver,
  command: Command,
  durable = false,
  made = (_inode: number) => {},
): Promise<string> {
  try {
    const result = await meta.service.execute({ ...command, durable });
    const inode = inodeMadeBy(command.name, result);
    if (inode !== 0) made(inode);
    return 'state' in result && result.state === 'conflict' ? 'conflict' : 'done';
  } catch (error) {
    if (error instanceof FileError) return error.code;
    throw error;
  }
}

/** @param revision of the inode that the command names, as the namespace counts */
function outcomeOfModel(model: Model, { name, timeNs, request }: Command, revision: number): string {
  try {
    switch (name) {
      case 'make':
        model.make(request.parent, request.name, request.kind, request.mode, timeNs);
        return 'done';
      case 'link':
        model.link(request.inode, request.parent, request.name, timeNs);
        return 'done';
      case 'unlink':
        model.unlink(request.parent, request.name, request.held, timeNs);
        return 'done';
      case 'rmdir':
        model.rmdir(request.parent, request.name, timeNs);
        return 'done';
      case 'rename': {
        const from: [number, string] = [request.parent, request.name];
        model.rename(from, [request.newParent, request.newName], request, timeNs);
        return 'done';
      }
      case 'setattr':
        model.setattr(request.inode, request.changes, timeNs);
        return 'done';
      case 'commit':
        return model.commit(request, timeNs) ? 'done' : 'conflict';
      case 'trim':
        model.trim(request, revision, timeNs);
        return 'done';
      case 'setxattr': {
        const value = Buffer.from(request.value).toString();
        model.setxattr(request.inode, request.name, value, request.mode, timeNs);
        return 'done';
      }
      case 'purge':
        model.purge(request.inode);
        return 'done';
      default:
        throw new Error(`the model does not know ${name}`);
    }
  } catch (error) {
    if (error instanceof ModelError) return error.code;
    throw error;
  }
}

async function revisionOf(meta: TestMetaserver, inode: number): Promise<number> {
  try {
    return (await meta.attributes(inode)).revision;
  } catch (error) {
    if (error instanceof FileError && error.code === 'ENOENT') return 0;
    throw error;
  }
}

async function compare(meta: TestMetaserver, model: Model): Promise<void> {
  for (const node of model.inodes.values()) {
    const found = await meta.attributes(node.inode);
    const { blocks } = await meta.ask('blocks', { inode: node.inode, first: 0, count: 100 });
    const { names } = await meta.ask('listxattr', { inode: node.inode });
    const actual = {
      kind: found.kind,
      mode: found.mode,
      owner: [found.uid, found.gid],
      links: found.links,
      size: found.sizeBytes,
      allocated: found.allocatedBytes,
      changed: found.changeTimeNs,
      blocks: blocks.map(({ index, version, length }) => [index, version, length]),
      xattrs: names,
      children: node.kind === 'directory' ? (await meta.names(node.inode)).sort() : [],
    };
    assert.deepEqual(actual, expectedOf(model, node), `inode ${node.inode}`);
    for (const [name, child] of node.children) {
      assert.equal((await meta.ask('lookup', { parent: node.inode, name })).inode, child.inode);
    }
  }
  const { inodes } = await meta.ask('statistics', {});
  assert.equal(inodes, model.inodes.size);
  const versions = (await meta.garbage()).map(([, , version]) => version);
  assert.deepEqual(
    versions.sort((a, b) => a - b),
    [...model.garbage].sort((a, b) => a - b),
  );
}

function expectedOf(model: Model, node: ModelNode) {
  const blocks = [...node.blocks].sort(([a], [b]) => a - b);
  return {
    kind: node.kind,
    mode: node.mode,
    owner: [node.uid, node.gid],
    links: model.links(node),
    size: node.size,
    allocated: blocks.reduce((sum, [, { length }]) => sum + length, 0),
    changed: node.changed,
    blocks: blocks.map(([index, { version, length }]) => [index, version, length]),
    xattrs: [...node.xattrs.keys()].sort(),
    children: [...node.children.keys()].sort(),
  };
}

const baseIn = (model: Model) => (inode: number, index: number) =>
  model.inodes.get(inode)?.blocks.get(index)?.version ?? 0;

type Opened = 'alone' | 'behind a mediator';

async function againstModel(kind: PlaceKind, seed: number, steps: number, opened: Opened = 'alone'): Promise<void> {
  await withPlace(kind, async (place) => {
    const open = () =>
      opened === 'alone' ? TestMetaserver.open(place.factory) : TestMetaserver.openBehindMediator(place.factory);
    let meta = await open();
    let early = 0;
    const model = new Model();
    const commands = new RandomCommands(seed);
    commands.live = () => [...model.inodes.keys()];
    const outcomes = new Map<string, number>();
    for (let step = 0; step < steps; step++) {
      const command = commands.next(baseIn(model));
      const revision = command.name === 'trim' ? await revisionOf(meta, command.request.inode) : 0;
      const outcome = await outcomeOf(meta, command, false, (inode) => {
        model.next = inode;
      });
      const expected = outcomeOfModel(model, command, revision);
      assert.equal(outcome, expected, `seed ${seed}, step ${step}: ${command.name}`);
      if (command.name === 'make' && expected === 'done') commands.inodes++;
      outcomes.set(expected, (outcomes.get(expected) ?? 0) + 1);
      // Every place that rows can be in is looked at: memory, under way, on the disk.
      if (step % 50 === 20) meta.runtime.advance(60);
      if (step % 100 === 99) await compare(meta, model);
      if (step % 250 === 249) {
        early += meta.answeredEarly;
        await meta.close();
        await withTables(place, checkConsistency);
        await reopenedCleanly(place);
        meta = await open();
      }
    }
    await compare(meta, model);
    assert.ok((outcomes.get('done') ?? 0) > steps / 5, 'many commands succeed');
    assert.ok((outcomes.get('conflict') ?? 0) > 0, 'some conflict');
    if (opened !== 'alone') assert.ok(early > steps / 20, `${early} of ${steps} are answered early`);
    await meta.close();
    await withTables(place, checkConsistency);
  });
}

/** Reading the tables in between is no start of a metaserver: the mark of a clean close is still there. */
async function reopenedCleanly(place: Parameters<typeof dump>[0]): Promise<void> {
  assert.ok((await dump(place)).some(([key]) => key === 'pclosed'));
}

describe('the namespace under random commands', () => {
  for (let seed = 1; seed <= 6; seed++) {
    it(`does what the model does (memory, seed ${seed})`, () => againstModel(memoryPlaces, seed, 1500));
  }
  it('does what the model does (slow memory)', () => againstModel(slowMemoryPlaces, 31, 1500));
  for (let seed = 51; seed <= 56; seed++) {
    it(`does what the model does (behind a mediator that answers early, seed ${seed})`, () =>
      againstModel(slowMemoryPlaces, seed, 1500, 'behind a mediator'));
  }
  it('does what the model does (LMDB)', () => againstModel(lmdbPlaces, 32, 1000));

  for (const kind of [slowMemoryPlaces, lmdbPlaces]) {
    it(`keeps a prefix of whole commands, with all durable ones, through crashes (${kind.name})`, async () => {
      for (let seed = 1; seed <= 12; seed++) await crashAndCompare(kind, seed);
    });
  }

  it('comes to the same rows on every storage', async () => {
    const dumps: [string, string][][] = [];
    for (const kind of [memoryPlaces, slowMemoryPlaces, lmdbPlaces]) {
      await withPlace(kind, async (place) => {
        const meta = await TestMetaserver.open(place.factory);
        const commands = new RandomCommands(99);
        for (let step = 0; step < 600; step++) {
          const command = commands.next(() => 0);
          const outcome = await outcomeOf(meta, command, step % 37 === 0);
          if (command.name === 'make' && outcome === 'done') commands.inodes++;
        }
        await meta.close();
        dumps.push(await dump(place));
      });
    }
    assert.ok((dumps[0]?.length ?? 0) > 50);
    assert.deepEqual(dumps[1], dumps[0]);
    assert.deepEqual(dumps[2], dumps[0]);
  });
});

/** Rows that start and close write, besides what commands do. */
const OWN_ROWS = ['pclosed', 'pcounters'];

async function crashAndCompare(kind: PlaceKind, seed: number): Promise<void> {
  await withPlace(kind, async (place) => {
    const meta = await TestMetaserver.open(place.factory);
    const commands = new RandomCommands(seed);
    const given: Command[] = [];
    let durable = 0;
    for (let step = 30 + commands.below(150); step > 0; step--) {
      const command = commands.next(() => 0);
      const isDurable = commands.below(25) === 0;
      const outcome = await outcomeOf(meta, command, isDurable);
      if (outcome !== 'done') continue;
      given.push(command);
      if (command.name === 'make') commands.inodes++;
      if (isDurable) durable = given.length;
      if (commands.below(40) === 0) meta.runtime.advance(60);
      if (commands.below(3) === 0) await Promise.resolve();
    }
    // A commit may be under way at this moment.
    void meta.service.sync({});
    for (let turn = commands.below(20); turn > 0; turn--) await Promise.resolve();
    await place.crash();
    await withTables(place, checkConsistency);
    const survived = await dump(place);
    assert.ok(await isPrefix(given, durable, survived), `seed ${seed}: ${given.length} commands, ${durable} promised`);
  });
}

/** Whether some prefix of the commands that has at least `least` of them gives exactly these rows. */
async function isPrefix(given: readonly Command[], least: number, rows: [string, string][]): Promise<boolean> {
  const essential = (all: [string, string][]) => all.filter(([key]) => !OWN_ROWS.includes(key));
  const wanted = JSON.stringify(essential(rows));
  for (let length = given.length; length >= least; length--) {
    const place = memoryPlaces.make();
    const meta = await TestMetaserver.open(place.factory);
    for (const command of given.slice(0, length)) await outcomeOf(meta, command);
    await meta.close();
    if (JSON.stringify(essential(await dump(place))) === wanted) return true;
  }
  return false;
}
