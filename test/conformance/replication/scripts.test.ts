// Classic situations of Raft as scripts, which are read like text. What their commands say is compared with what stands in them.
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { readScript, runScript, SCRIPTS_FOLDER } from './run-script.js';

const isRewriting = process.env.NMRFS_REWRITE_SCRIPTS === '1';
const SHOWN_LINES = 8;

describe('scripts of raft', () => {
  for (const name of readdirSync(SCRIPTS_FOLDER).sort()) {
    it(name.replace(/\.txt$/, '').replaceAll('-', ' '), () => {
      const expected = readScript(name);
      const actual = runScript(expected);
      if (isRewriting) writeFileSync(join(SCRIPTS_FOLDER, name), actual);
      else if (actual !== expected) assert.fail(differenceOf(name, expected.split('\n'), actual.split('\n')));
    });
  }
});

/** The command whose lines differ first, and what differs, up to where the files are equal again to their ends. */
function differenceOf(name: string, expected: readonly string[], actual: readonly string[]): string {
  const first = expected.findIndex((line, at) => line !== actual[at]);
  const command = expected.findLastIndex((line, at) => at < first && line !== '' && !line.startsWith(' '));
  let equalAtEnd = 0;
  while (
    equalAtEnd < Math.min(expected.length, actual.length) - first &&
    expected.at(-1 - equalAtEnd) === actual.at(-1 - equalAtEnd)
  ) {
    equalAtEnd++;
  }
  const differing = (lines: readonly string[]) => lines.slice(first, lines.length - equalAtEnd).slice(0, SHOWN_LINES);
  return [
    `${name}:${first + 1} is not what its commands say now; NMRFS_REWRITE_SCRIPTS=1 writes that into the file`,
    ...expected.slice(command, first).map((line) => `    ${line}`),
    ...differing(expected).map((line) => `  - ${line}`),
    ...differing(actual).map((line) => `  + ${line}`),
  ].join('\n');
}
