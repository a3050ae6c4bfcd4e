// The page is what the figures say, and only its generated parts are generated.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';
import type { Figures } from '../../../../tools/curves/figures.js';
import { render } from '../../../../tools/curves/render/page.js';
import { PRESENTATIONS } from '../../../../tools/curves/render/presentation.js';
import { SMALL } from './small-figures.js';

/** From dist/test/unit/tools/curves. */
const DOCS = fileURLToPath(new URL('../../../../../docs/', import.meta.url));
const AGAIN =
  '"npm run bench -- --curves" measures and writes it, and "npm run bench -- --draw" writes it from the figures';

describe('docs/performance.md', () => {
  it('has the figures of docs/performance/figures.json, all of them', async () => {
    const figures = JSON.parse(await readFile(`${DOCS}performance/figures.json`, 'utf8')) as Figures;
    assert.deepEqual(Object.keys(figures).sort(), Object.keys(PRESENTATIONS).sort());
    const page = await readFile(`${DOCS}performance.md`, 'utf8');
    const rendered = render(page, figures);
    assert.equal(rendered.page, page, AGAIN);
    const files = (await readdir(`${DOCS}performance`)).filter((file) => file.endsWith('.svg'));
    assert.deepEqual(files.sort(), [...rendered.pictures.keys()].sort());
    for (const [file, picture] of rendered.pictures)
      assert.equal(await readFile(`${DOCS}performance/${file}`, 'utf8'), picture, AGAIN);
  });
});

describe('the generated parts of a page', () => {
  const page = 'before\n\n<!-- curve files: generated -->\nold\n<!-- end of files -->\n\nbehind\n';

  it('have stamp, picture, medians, and processor time by kind of server', () => {
    const { page: rendered, pictures } = render(page, { files: SMALL });
    assert.deepEqual([...pictures.keys()], ['files.svg']);
    assert.equal(
      rendered,
      `before

<!-- curve files: generated -->

*Measured by a quick run on 2026-01-02: a machine.*

![operations a second, processor ms, over files in the tree; the tables below have the figures](performance/files.svg)

| files in the tree | create, a second | read <cold>, MB/s |
| --- | ---: | ---: |
| 1 k | 1,000 | 80 |
| 1 M | 500 | – |
| last : first | 0.5 | – |

Milliseconds of processor time an operation: all servers (mediator with its mount + metaservers + data servers).

| files in the tree | create |
| --- | ---: |
| 1 k | 0.75 (0.5 + 0.25 + 0) |
| 1 M | 2.7 (2 + 0.5 + 0.2) |

<!-- end of files -->

behind
`,
    );
    assert.equal(render(rendered, { files: SMALL }).page, rendered);
  });

  it('say what one more adds, by the last two points that were measured', () => {
    const series = [{ name: 'memory', unit: 'MiB', rounds: [[1], [2], [4], []] }];
    const memory = { stamp: SMALL.stamp, points: [0, 1_000, 1_000_000, 2_000_000], series };
    const place = '<!-- curve memory: generated -->\n<!-- end of memory -->\n';
    assert.match(render(place, { memory }).page, /\| each more \| 2.1 bytes \|/);
  });

  it('tell mounts apart that are processes of their own', () => {
    const processorMs = [[{ mediator: 1, mounts: 2, metaservers: 3, dataservers: 4 }]];
    const series = [{ name: 'create', unit: '/s', rounds: [[5]], processorMs }];
    const mounts = { stamp: SMALL.stamp, points: [1], series };
    const place = '<!-- curve mounts: generated -->\n<!-- end of mounts -->\n';
    const { page: rendered } = render(place, { mounts });
    assert.match(rendered, /\(mediator \+ mounts \+ metaservers \+ data servers\)/);
    assert.match(rendered, /\| 1 \| 10 \(1 \+ 2 \+ 3 \+ 4\) \|/);
  });

  it('of curves without figures stay as they are', () => {
    assert.equal(render(page, {}).page, page);
  });

  it('must have their place', () => {
    assert.throws(() => render('nothing here\n', { files: SMALL }), /the page lacks "<!-- curve files: generated -->/);
  });
});
