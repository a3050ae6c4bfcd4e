import assert from 'node:assert/strict';
import { readCollectionHeader } from '../../../src/recording/collection.js';
import type { RecordedEvent } from '../../../src/recording/format.js';
import { type Recording, RecordingError, RecordingReader } from '../../../src/recording/reader.js';
import { RecordingWriter } from '../../../src/recording/writer.js';

const EVENTS: RecordedEvent[] = [
  { t: 5, kind: 'message', from: 'a', to: 'b', name: 'append', arrived: 9, content: 'ä «x»' },
  { t: 3, kind: 'note', level: 'mark', text: 'earlier' },
];

function written(events: readonly RecordedEvent[] = EVENTS): string {
  let text = '';
  const writer = new RecordingWriter(
    (line) => {
      text += line;
    },
    { title: 'test', processes: [{ name: 'a', kind: 'catalog' }], clock: 'virtual' },
  );
  for (const event of events) writer.add(event);
  writer.end();
  return text;
}

function read(text: string, pieceCharacters = text.length): Recording {
  const reader = new RecordingReader();
  for (let at = 0; at < text.length; at += pieceCharacters) reader.push(text.slice(at, at + pieceCharacters));
  return reader.end();
}

describe('reading a recording', () => {
  for (const characters of [1, 7, 1000]) {
    it(`has what was written, in the order of time, from pieces of ${characters} characters`, () => {
      const { header, events, problem } = read(written(), characters);
      assert.equal(header.title, 'test');
      assert.deepEqual(events, [EVENTS[1], EVENTS[0]]);
      assert.equal(problem, null);
    });
  }

  for (const [what, text, message] of [
    ['nothing', '', /This is no recording of nmrfs/],
    ['another file', 'hello\n', /This is no recording of nmrfs/],
    ['other JSON', '{"a":1}\n', /This is no recording of nmrfs/],
    ['null', 'null\n', /This is no recording of nmrfs/],
    ['endless text', 'x'.repeat(2_000_000), /This is no recording of nmrfs/],
    ['another version', written().replace('"version":1', '"version":7'), /of version 7, and this page reads version 1/],
    [
      'a header without processes',
      '{"nmrfs":"recording","version":1,"title":"x"}\n',
      /first line of this recording is damaged/,
    ],
  ] as const) {
    it(`refuses ${what} in one line`, () => {
      assert.throws(
        () => read(text, 64 * 1024),
        (error: unknown) =>
          error instanceof RecordingError && message.test(error.message) && !error.message.includes('\n'),
      );
    });
  }

  for (const [what, text, kept, message] of [
    [
      'is cut off between lines',
      written().split('\n').slice(0, 2).join('\n'),
      1,
      /cut off: the line that ends it is missing/,
    ],
    ['is cut off within a line', written().slice(0, -60), 1, /line 3 is damaged/],
    ['lacks a line', written().split('\n').toSpliced(1, 1).join('\n'), 1, /it has 1 of 2 events/],
    ['has a damaged line', written().replace('"arrived":9', '"arrived":"x"'), 0, /line 2 is damaged/],
    ['has a line of an unknown kind', written().replace('"kind":"note"', '"kind":"nonsense"'), 1, /line 3 is damaged/],
    [
      'has an endless line',
      `${written().split('\n').slice(0, 2).join('\n')}\n${'x'.repeat(2_000_000)}`,
      1,
      /line 3 does not end/,
    ],
    ['goes on with a damaged part', `${written()}{"nmrfs":"record\n{}\n`, 2, /line 5 begins a part that can't be read/],
    [
      'goes on with a part of another version',
      written() + written().replace('"version":1', '"version":7'),
      2,
      /line 5 begins a part that can't be read/,
    ],
  ] as const) {
    it(`shows what comes before and says so, where it ${what}`, () => {
      const { events, problem } = read(text, 64 * 1024);
      assert.equal(events.length, kept);
      assert.match(problem ?? '', message);
    });
  }

  it('shows several recordings as one, also where one of them is cut off', () => {
    const other = written([{ t: 4, kind: 'note', level: 'info', text: 'between' }]).replace('"name":"a"', '"name":"b"');
    const both = read(written() + other);
    assert.deepEqual(
      both.events.map(({ t }) => t),
      [3, 4, 5],
    );
    assert.deepEqual(
      both.header.processes.map(({ name }) => name),
      ['a', 'b'],
    );
    assert.equal(both.problem, null);
    const cut = read(`${written().split('\n').slice(0, 2).join('\n')}\n${other}`);
    assert.equal(cut.events.length, 2);
    assert.match(cut.problem ?? '', /^A part of this recording has no end/);
  });

  it('keeps 64-bit numbers as text', () => {
    const fields = { inode: 2n ** 60n };
    const text = written([{ t: 1, kind: 'note', level: 'info', text: 'x', event: 'x.y', fields }]);
    assert.match(text, /"inode":"1152921504606846976"/);
  });
});

describe('reading a collection', () => {
  const header = { nmrfs: 'recordings', version: 1, title: 't', columns: [], tables: [], recordings: [] };

  it('has its table, and where the recordings begin', async () => {
    const line = `${JSON.stringify(header)}\n`;
    const found = await readCollectionHeader(new Blob([line, 'recordings']));
    assert.equal(found?.header.title, 't');
    assert.equal(found?.bodyAt, line.length);
  });

  it('is not taken for a recording, nor the other way round', async () => {
    assert.equal(await readCollectionHeader(new Blob([written()])), undefined);
    assert.equal(await readCollectionHeader(new Blob([])), undefined);
  });

  for (const [what, text] of [
    ['damaged', '{"nmrfs":"recordings","version":1'],
    ['of another version', `${JSON.stringify({ ...header, version: 3 })}\n`],
    [
      'without a whole table',
      `${JSON.stringify({ ...header, tables: [{ fault: 'f', rows: [{ protocol: 'p' }] }] })}\n`,
    ],
    ['with places that are none', `${JSON.stringify({ ...header, recordings: [null] })}\n`],
  ] as const) {
    it(`refuses one that is ${what}`, async () => {
      await assert.rejects(readCollectionHeader(new Blob([text])), RecordingError);
    });
  }
});
