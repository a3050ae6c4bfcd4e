// What the mediator knows of one directory, as it is listed.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { KnownDirectory, UNKNOWN_COOKIE } from '../../../src/mediator/early/known-directories.js';
import type { EntryRow } from '../../../src/namespace/state/entry-rows.js';
import { below } from './fixture.js';

function entry(cookie: number, inode = cookie): EntryRow {
  return { inode, kind: 'file', cookie };
}

describe('a known directory', () => {
  it('lists its names by their places after any changes, as if it had never been listed before', () => {
    const listed = new KnownDirectory();
    const names = new Map<string, EntryRow | null>();
    let next = 3;
    for (let step = 0; step < 1000; step++) {
      const name = `${below(30)}`;
      const before = names.get(name) ?? null;
      const place = below(10) === 0 ? UNKNOWN_COOKIE : next++;
      const changed = [null, entry(place, step), entry(before?.cookie ?? place, step)][below(3)] ?? null;
      names.set(name, changed);
      listed.set(name, changed);
      const fresh = new KnownDirectory();
      for (const [each, known] of names) fresh.set(each, known);
      assert.equal(listed.present, fresh.present);
      for (const cookie of [0, below(next)]) {
        assert.deepEqual(listed.entriesAfter(cookie, 10), fresh.entriesAfter(cookie, 10), `step ${step}`);
      }
    }
  });

  it('does not sort its names again after each change', () => {
    const directory = new KnownDirectory();
    const names = 20_000;
    let compared = 0;
    for (let at = 0; at < names; at++) {
      directory.set(`${at}`, {
        ...entry(0, at),
        get cookie() {
          compared++;
          return at + 3;
        },
      });
    }
    directory.entriesAfter(0, 1);
    compared = 0;
    for (let at = 0; at < 100; at++) {
      directory.set(`${at}`, null);
      assert.equal(directory.entriesAfter(0, 1)?.[0]?.name, `${at + 1}`);
    }
    assert.ok(compared < names, `${compared} cookies were looked at`);
  });
});
