// The log of a member: what was answered is there after every loss of power, and damage is told from a torn end.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { BLANK_HARD_STATE, type Entry, type HardState, type Mark } from '../../../src/replication/core/core.js';
import { ReplicationLog } from '../../../src/replication/log/replication-log.js';
import { FRAMES_START } from '../../../src/replication/log/segment.js';
import { silentLog } from '../../../src/runtime/log.js';
import type { Runtime } from '../../../src/runtime/runtime.js';
import { SeededRandom } from '../../simulation/world/seeded-random.js';
import { ManualClock } from '../../support/manual-clock.js';
import { MemoryDisk } from '../../support/memory-disk.js';

const BLANK: Mark = { index: 0, term: 0, members: { voters: ['a'], learners: [] } };
const SETTINGS = { owner: 'a', segmentBytes: 12_000, cacheBytes: 2000 };

/** What a log holds, or should. */
interface Content {
  hardState: HardState;
  mark: number;
  entries: string[];
}

class Place {
  readonly disk = new MemoryDisk();
  readonly random: SeededRandom;
  log: ReplicationLog | undefined;
  /** What the state stands for that the log belongs to. */
  state = BLANK;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  runtime(): Runtime {
    const network: Runtime['network'] = undefined as never;
    return { clock: new ManualClock(), log: silentLog, random: this.random, disk: this.disk.mount(), network };
  }

  async open(state = this.state): Promise<ReplicationLog> {
    this.log = await ReplicationLog.open('/log', state, SETTINGS, this.runtime());
    return this.log;
  }

  async content(): Promise<Content> {
    const { log } = this;
    assert(log !== undefined);
    const { hardState, mark } = log.stored;
    const entries = await log.read(mark.index + 1, log.lastIndex);
    return { hardState, mark: mark.index, entries: entries.map(describeEntry) };
  }
}

function describeEntry({ index, term, content }: Entry): string {
  const what = content.kind === 'data' ? Buffer.from(content.data as Uint8Array).toString('latin1') : content.kind;
  return `${index}/${term} ${what}`;
}

function data(index: number, term: number, text: string): Entry {
  return { index, term, content: { kind: 'data', data: Buffer.from(text, 'latin1'), bytes: text.length } };
}

/** The content after the writes: an entry replaces what is at its index and behind it. */
function after(content: Content, hardState: HardState | null, entries: readonly Entry[]): Content {
  const kept = [...content.entries];
  for (const entry of entries) {
    kept.length = entry.index - content.mark - 1;
    kept.push(describeEntry(entry));
  }
  return { ...content, hardState: hardState ?? content.hardState, entries: kept };
}

describe('the log of a member', () => {
  it('is blank at first, and begins at the state that it is opened with', async () => {
    const place = new Place(1);
    await place.open();
    assert.deepEqual(await place.content(), { hardState: BLANK_HARD_STATE, mark: 0, entries: [] });
    await place.log?.append({ term: 1, vote: 'a' }, [data(1, 1, 'one')]);
    await place.open({ ...BLANK, index: 7, term: 1 });
    assert.deepEqual(await place.content(), { hardState: { term: 1, vote: 'a' }, mark: 7, entries: [] });
  });

  it('has what was answered after a loss of power at any moment, and of what was not answered all or nothing', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const place = new Place(seed);
      const { random, disk } = place;
      await place.open();
      let expected = await place.content();
      let term = 1;
      for (let step = 0; step < 60; step++) {
        const last = expected.mark + expected.entries.length;
        if (random.chance(0.1)) term++;
        const first = random.chance(0.2) ? random.between(place.state.index + 1, last + 1) : last + 1;
        const isLong = random.chance(0.03);
        const entries = Array.from({ length: random.between(0, 4) }, (_, at) =>
          data(first + at, term, isLong ? 'long'.repeat(5000) : `${random.word()}`.repeat(random.between(0, 20))),
        );
        const isNewTerm = term > expected.hardState.term;
        const hardState = isNewTerm || random.chance(0.2) ? { term, vote: random.pick(['a', 'b', null]) } : null;
        if (entries.length === 0 && hardState === null) continue;
        const next = after(expected, hardState, entries);
        if (random.chance(0.2)) {
          disk.changesLeft = random.between(0, 4);
          disk.tearsLastWrite = random.chance(0.5);
        }
        const isReset = random.chance(0.05);
        if (isReset) {
          // The state is stored first.
          place.state = { ...BLANK, index: last + random.between(1, 9), term: expected.hardState.term };
          expected = { ...expected, mark: place.state.index, entries: [] };
          Object.assign(next, expected, { hardState: hardState ?? expected.hardState });
        }
        const writing = isReset ? place.log?.reset(place.state, hardState) : place.log?.append(hardState, entries);
        const done = await writing?.then(
          () => true,
          () => false,
        );
        if (done && random.chance(0.1)) {
          const compacted = await place.log
            ?.compact(random.between(next.mark, next.mark + next.entries.length))
            .catch(() => null);
          if (compacted != null) next.entries.splice(0, compacted - next.mark);
          next.mark = compacted ?? next.mark;
          // What is compacted is committed, and never replaced.
          place.state = place.log?.mark ?? place.state;
        }
        if (!done || disk.changesLeft === 0 || random.chance(0.05)) {
          // A process that dies leaves what it has written in the system's cache, where the power may still take it.
          if (random.chance(0.5)) disk.killProcess();
          else disk.cutPower(random.chance(0.5) ? 'all' : { keeps: () => random.chance(0.5) });
          disk.changesLeft = Number.POSITIVE_INFINITY;
          const { stored } = await place.open();
          // As a leader does before it answers anybody: from then on what was found is on the disk.
          await place.log?.append(stored.hardState, []);
          const found = await place.content();
          // A segment that was being removed may be there still.
          const trimmed = (content: Content) => ({ ...found, hardState: content.hardState, entries: content.entries });
          const isNext =
            !done && JSON.stringify(cut(found, expected.mark)) !== JSON.stringify(cut(expected, expected.mark));
          const wanted = done || isNext ? next : expected;
          const from = Math.max(found.mark, wanted.mark);
          assert.deepEqual(trimmed(cut(found, from)), trimmed(cut(wanted, from)), `seed ${seed}, step ${step}`);
          assert.equal(place.log?.stored.damagedUpTo, 0, `seed ${seed}, step ${step}`);
          expected = found;
          term = Math.max(term, found.hardState.term);
          continue;
        }
        assert.deepEqual(await place.content(), next, `seed ${seed}, step ${step}`);
        expected = next;
      }
    }
  });

  it('ends before damage, and knows how far it went, until it is healed', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const place = new Place(seed);
      const log = await place.open();
      for (let index = 1; index <= 200; index++) await log.append(null, [data(index, 1, `entry ${index}`.repeat(10))]);
      await log.append({ term: 3, vote: 'b' }, []);
      await log.append(null, [data(201, 3, 'last')]);
      await log.close();
      const whole = await place.content().catch(() => null);
      assert.equal(whole, null, 'a closed log is not read');
      spoilOne(place);
      const again = await place.open();
      const { damagedUpTo } = again.stored;
      const { entries } = await place.content();
      for (const [at, text] of entries.entries()) assert.match(text, new RegExp(`^${at + 1}/`));
      if (again.lastIndex < 201) assert.equal(damagedUpTo, 201, `seed ${seed}`);
      assert.deepEqual(again.stored.hardState, { term: 3, vote: 'b' });
      await again.append(null, [data(again.lastIndex + 1, 3, 'new')]);
      const third = await place.open();
      assert.equal(third.stored.damagedUpTo, damagedUpTo);
      assert.equal((await place.content()).entries.at(-1), `${third.lastIndex}/3 new`);
      await third.heal();
      assert.equal((await place.open()).stored.damagedUpTo, 0);
    }
  });

  it('takes no file for a new one that holds entries, whatever files of others were there before', async () => {
    const place = new Place(1);
    const others = await ReplicationLog.open('/log', BLANK, { ...SETTINGS, owner: 'other' }, place.runtime());
    for (let index = 1; index <= 300; index++) await others.append(null, [data(index, 1, 'x'.repeat(100))]);
    await others.close();
    const log = await place.open();
    for (let index = 1; index <= 1200; index++) await log.append(null, [data(index, 1, `${index}`.padEnd(100))]);
    await log.close();
    const again = await place.open();
    assert.equal(again.stored.damagedUpTo, 0);
    assert.equal((await place.content()).entries.length, 1200);
  });

  it('keeps as many files as it needs, and uses those again that it does not', async () => {
    const place = new Place(1);
    const log = await place.open();
    for (let index = 1; index <= 3000; index++) {
      await log.append(null, [data(index, 1, 'x'.repeat(100))]);
      if (index % 50 === 0) await log.compact(index - 10);
    }
    await log.close();
    assert.ok((await place.disk.mount().list('/log')).length <= 4);
  });

  it('is replaced by a state', async () => {
    const place = new Place(1);
    const log = await place.open();
    await log.append({ term: 2, vote: null }, [data(1, 1, 'one'), data(2, 2, 'two')]);
    await log.reset({ index: 10, term: 2, members: { voters: ['b'], learners: [] } }, { term: 3, vote: null });
    await log.append(null, [data(11, 3, 'eleven')]);
    const expected = { hardState: { term: 3, vote: null }, mark: 10, entries: ['11/3 eleven'] };
    assert.deepEqual(await place.content(), expected);
    const again = await place.open(log.mark);
    assert.deepEqual(await place.content(), expected);
    assert.deepEqual(again.mark.members.voters, ['b']);
  });
});

/** Turns a byte of what an old segment holds. */
function spoilOne({ disk, random }: Place): void {
  const paths = disk.paths().filter((path) => path.includes('/segment-'));
  const used = paths.filter((path) =>
    disk
      .content(path)
      .subarray(FRAMES_START)
      .some((byte) => byte !== 0),
  );
  const path = random.pick(used.sort(byNumber).slice(0, -2));
  const content = Buffer.from(disk.content(path));
  const end = content.findLastIndex((byte) => byte !== 0);
  const at = random.between(FRAMES_START, end);
  content[at] = (content[at] ?? 0) ^ 0x10;
  disk.spoil(path, content);
}

function byNumber(one: string, other: string): number {
  return Number(one.split('-')[1]) - Number(other.split('-')[1]);
}

function cut(content: Content, mark: number): Content {
  return mark <= content.mark ? content : { ...content, mark, entries: content.entries.slice(mark - content.mark) };
}
