// docs/performance.md has text that people write, and a part for each curve that is generated: between two marks, and nothing else
// of the page changes.
import type { CurveFigures, Figures, Stamp } from '../figures.js';
import { drawPicture } from './picture.js';
import { PRESENTATIONS, type Presentation } from './presentation.js';
import { tablesOf } from './tables.js';

/** Beside the page. */
const PICTURES = 'performance';

export interface Rendered {
  page: string;
  /** By the name of their files. */
  pictures: Map<string, string>;
}

/** Puts the figures into the page. Fails when the page lacks the place of a curve. */
export function render(page: string, figures: Figures): Rendered {
  const pictures = new Map<string, string>();
  let rendered = page;
  for (const [curve, presentation] of Object.entries(PRESENTATIONS)) {
    const measured = figures[curve];
    if (measured === undefined) continue;
    pictures.set(`${curve}.svg`, drawPicture(measured, presentation));
    rendered = replacePart(rendered, curve, partOf(curve, measured, presentation));
  }
  return { page: rendered, pictures };
}

function partOf(curve: string, measured: CurveFigures, presentation: Presentation): string {
  const { along, panels } = presentation;
  const titles = panels.map(({ title }) => title).join(', ');
  return [
    stampLine(measured.stamp),
    '',
    `![${titles}, over ${along}; the tables below have the figures](${PICTURES}/${curve}.svg)`,
    '',
    tablesOf(measured, presentation),
  ].join('\n');
}

function stampLine({ date, machine, length }: Stamp): string {
  return `*${length === 'full' ? 'Measured' : `Measured by a ${length} run`} on ${date}: ${machine}.*`;
}

function replacePart(page: string, curve: string, part: string): string {
  const [start, end] = [`<!-- curve ${curve}: generated -->`, `<!-- end of ${curve} -->`];
  const [from, to] = [page.indexOf(start), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the page lacks "${start}" … "${end}"`);
  return `${page.slice(0, from)}${start}\n\n${part}\n\n${page.slice(to)}`;
}
