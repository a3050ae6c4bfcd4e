import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { drawPicture } from '../../../../tools/curves/render/picture.js';
import type { Presentation } from '../../../../tools/curves/render/presentation.js';
import { SMALL } from './small-figures.js';

const PRESENTATION: Presentation = {
  along: 'files',
  scale: 'log',
  format: String,
  panels: [
    { title: 'rates', shows: '/s', scale: 'log' },
    { title: 'MB', shows: 'MB/s', scale: 'linear' },
    { title: 'ms', shows: 'processor', scale: 'linear' },
  ],
  each: 'an operation',
  isCompared: true,
};

describe('the picture of a curve', () => {
  const picture = drawPicture(SMALL, PRESENTATION);
  const panels = picture.split('<g ').slice(1);
  const linesOf = (panel: string | undefined) =>
    [...(panel ?? '').matchAll(/<polyline class="line (c\d)" points="([^"]*)"/g)].map(([, colour, points = '']) => ({
      colour,
      places: points.split(' ').map((place) => place.split(',').map(Number)),
    }));

  it('draws medians of the rounds, from left to right, higher values higher', () => {
    const [line] = linesOf(panels[0]);
    const [[left = 0, top = 0] = [], [right = 0, lower = 0] = []] = line?.places ?? [];
    assert(left < right);
    assert(top < lower, '1,000 a second lies above 500');
  });

  it('draws in each panel the series that it shows, in the same colours', () => {
    assert.deepEqual(
      panels.map((panel) => linesOf(panel).map(({ colour }) => colour)),
      [['c0'], ['c1'], ['c0']],
    );
  });

  it('draws nothing where nothing was measured', () => {
    assert.equal(linesOf(panels[1])[0]?.places.length, 1);
  });

  it('names axes and series, and escapes them', () => {
    for (const text of ['>rates<', '>ms an operation<', '>files<', '>1000000<', '>read &lt;cold&gt;<'])
      assert(picture.includes(text), text);
  });

  it('has colours for light and dark', () => {
    assert.match(picture, /@media\(prefers-color-scheme:dark\)/);
  });

  it('is well-formed, and the same for the same figures', () => {
    const open: string[] = [];
    for (const [, end, name = '', own] of picture.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
      if (end === '/') assert.equal(open.pop(), name);
      else if (own !== '/') open.push(name);
    }
    assert.deepEqual(open, []);
    assert.equal(drawPicture(SMALL, PRESENTATION), picture);
    assert.doesNotMatch(picture, /NaN|undefined|Infinity/);
  });
});
