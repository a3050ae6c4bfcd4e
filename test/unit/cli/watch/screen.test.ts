import assert from 'node:assert/strict';
import { Screen } from '../../../../src/cli/watch/screen.js';

function recorded(size: { isTTY?: boolean; rows?: number } = {}) {
  const written: string[] = [];
  let time = 0;
  const stream = { ...size, write: (text: string) => written.push(text) };
  const screen = new Screen(stream, () => `at ${++time}`);
  return { screen, stream, written, text: () => written.join('') };
}

describe('the screen of a watched text', () => {
  it('away from a terminal shows a block for each change of the facts', () => {
    const { screen, text } = recorded();
    screen.show({ facts: 'all is well', passing: '' });
    screen.show({ facts: 'all is well', passing: 'reads 3/s' });
    screen.show({ facts: 'data2 is down', passing: 'reads 2/s' });
    screen.end();
    assert.equal(text(), 'at 1\nall is well\n\nat 2\ndata2 is down\n\nreads 2/s\n');
  });

  it('on a terminal draws in place, also what is no change of the facts', () => {
    const { screen, written } = recorded({ isTTY: true, rows: 10 });
    screen.show({ facts: 'one\ntwo', passing: '' });
    screen.show({ facts: 'one\ntwo', passing: 'reads 3/s' });
    assert.equal(written[0], '\u001b[?25l\u001b[?7l\u001b[2J\u001b[Hat 1\u001b[K\none\u001b[K\ntwo\u001b[K\n\u001b[J');
    assert.equal(written[1], '\u001b[Hat 2\u001b[K\none\u001b[K\ntwo\u001b[K\n\u001b[K\nreads 3/s\u001b[K\n\u001b[J');
  });

  it('says how much does not fit, and shows it once the terminal is larger', () => {
    const { screen, stream, written } = recorded({ isTTY: true, rows: 4 });
    screen.show({ facts: 'one\ntwo\nthree', passing: '' });
    assert.match(written[0] ?? '', /at 1.*\n.*one.*\n.*… 2 more lines/);
    stream.rows = 10;
    screen.redraw();
    assert.match(written[1] ?? '', /three/);
  });

  it('leaves the terminal as it was', () => {
    const { screen, written } = recorded({ isTTY: true, rows: 10 });
    screen.show({ facts: 'one', passing: '' });
    screen.end();
    assert.equal(written.at(-1), '\u001b[?7h\u001b[?25h');
    const untouched = recorded({ isTTY: true });
    untouched.screen.end();
    assert.equal(untouched.text(), '');
  });
});
