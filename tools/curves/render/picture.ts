// The picture of a curve: panels side by side and one legend, as SVG that follows the reader's light or dark colours. A pure
// function of the figures: the same figures give the same bytes.
import { type CurveFigures, mediansOf, processorMedians, type Series, totalOf } from '../figures.js';
import { formatFigure } from './numbers.js';
import type { Panel, Presentation } from './presentation.js';
import { linearScale, logScale, pointScale, type Scale } from './scale.js';

const PANEL_WIDTH = 330;
const PLOT = { left: 66, top: 34, width: 250, height: 190 };
const LEGEND_TOP = PLOT.top + PLOT.height + 62;
const LEGEND_ROW = 22;
const LEGEND_CELL = 245;
/** Tick labels along the bottom that are closer than this would touch. */
const LABEL_WIDTH = 40;

/** On white and on dark; told apart by those who see no difference of red and green, and by the shape of their marks. */
const COLOURS: readonly (readonly [string, string])[] = [
  ['#0b62a8', '#6cb6ff'],
  ['#c04a00', '#ff9a5c'],
  ['#007a5e', '#3fd0a5'],
  ['#9b3d8f', '#e8a0df'],
  ['#7a6200', '#e3c74b'],
  ['#4d4d4d', '#b8b8b8'],
];

export function drawPicture({ points, series }: CurveFigures, presentation: Presentation): string {
  const { panels, along } = presentation;
  const perRow = Math.max(1, Math.floor((panels.length * PANEL_WIDTH) / LEGEND_CELL));
  const width = panels.length * PANEL_WIDTH;
  const height = LEGEND_TOP + Math.ceil(series.length / perRow) * LEGEND_ROW;
  const bottom = pointScale(points, presentation.scale);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escapeText(`${panels.map(({ title }) => title).join('; ')}, over ${along}`)}</title>`,
    styles(),
    `<rect class="ground" width="${width}" height="${height}"/>`,
    ...panels.map((panel, at) =>
      [
        `<g transform="translate(${at * PANEL_WIDTH} 0)">`,
        ...drawPanel(panel, { points, series, bottom, presentation }),
        '</g>',
      ].join('\n'),
    ),
    ...series.map(({ name }, at) => drawLegend(name, at, perRow)),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

interface Shared {
  points: readonly number[];
  series: readonly Series[];
  bottom: Scale;
  presentation: Presentation;
}

function drawPanel(panel: Panel, { points, series, bottom, presentation }: Shared): string[] {
  const lines = series.map((each) => valuesOf(each, panel));
  const values = lines.flat().filter((value) => value > 0);
  const side = values.length === 0 ? linearScale([1]) : panel.scale === 'log' ? logScale(values) : linearScale(values);
  const x = (value: number) => fixed(PLOT.left + bottom.place(value) * PLOT.width);
  const y = (value: number) => fixed(PLOT.top + (1 - side.place(value)) * PLOT.height);
  const right = PLOT.left + PLOT.width;
  const floor = PLOT.top + PLOT.height;
  const parts = [`<text class="head" x="${PLOT.left}" y="18">${escapeText(panelTitle(panel, presentation))}</text>`];
  for (const tick of side.ticks) {
    parts.push(`<path class="grid" d="M${PLOT.left} ${y(tick)}H${right}"/>`);
    parts.push(`<text class="side" x="${PLOT.left - 7}" y="${y(tick)}" dy="4">${formatFigure(tick)}</text>`);
  }
  let lastLabel = Number.NEGATIVE_INFINITY;
  for (const tick of bottom.ticks) {
    parts.push(`<path class="grid" d="M${x(tick)} ${floor}v5"/>`);
    if (x(tick) - lastLabel < LABEL_WIDTH) continue;
    lastLabel = x(tick);
    parts.push(`<text class="below" x="${x(tick)}" y="${floor + 19}">${escapeText(presentation.format(tick))}</text>`);
  }
  parts.push(`<path class="axis" d="M${PLOT.left} ${floor}H${right}"/>`);
  parts.push(`<text class="below" x="${PLOT.left + PLOT.width / 2}" y="${floor + 38}">${presentation.along}</text>`);
  for (const [at, line] of lines.entries()) {
    const places = line.flatMap((value, point) => (value > 0 ? [[x(points[point] ?? 0), y(value)] as const] : []));
    if (places.length === 0) continue;
    parts.push(
      `<polyline class="line c${at % COLOURS.length}" points="${places.map((place) => place.join(',')).join(' ')}"/>`,
    );
    for (const [left, top] of places) parts.push(mark(at, left, top));
  }
  return parts;
}

function panelTitle({ title, shows }: Panel, { each }: Presentation): string {
  return shows === 'processor' && each !== undefined ? `${title} ${each}` : title;
}

/** NaN where there is nothing to show. */
function valuesOf(series: Series, { shows, of }: Panel): number[] {
  if (of !== undefined && !of.test(series.name)) return [];
  if (shows !== 'processor') return series.unit === shows ? mediansOf(series) : [];
  return processorMedians(series).map((each) => (each === undefined ? Number.NaN : totalOf(each)));
}

function drawLegend(name: string, at: number, perRow: number): string {
  const left = 20 + (at % perRow) * LEGEND_CELL;
  const top = LEGEND_TOP + Math.floor(at / perRow) * LEGEND_ROW;
  return [
    `<path class="line c${at % COLOURS.length}" d="M${left} ${top}h26"/>`,
    mark(at, left + 13, top),
    `<text x="${left + 34}" y="${top}" dy="4">${escapeText(name)}</text>`,
  ].join('\n');
}

/** A shape of its own for each series. */
function mark(at: number, x: number, y: number): string {
  const shapes = [
    `M${x - 4} ${y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z`,
    `M${x - 4} ${y - 4}h8v8h-8z`,
    `M${x} ${fixed(y - 5)}l5 9h-10z`,
    `M${x} ${fixed(y - 5)}l5 5l-5 5l-5 -5z`,
    `M${x} ${fixed(y + 5)}l5 -9h-10z`,
    `M${fixed(x - 2)} ${fixed(y - 5)}h4v3h3v4h-3v3h-4v-3h-3v-4h3z`,
  ];
  return `<path class="mark c${at % COLOURS.length}" d="${shapes[at % shapes.length]}"/>`;
}

function styles(): string {
  const colours = (mode: 0 | 1) =>
    COLOURS.map((pair, at) => `.line.c${at}{stroke:${pair[mode]}}.mark.c${at}{fill:${pair[mode]}}`).join('');
  return [
    '<style>',
    'text{font:12px system-ui,sans-serif;fill:#24292f}.head{font-weight:600}.side{text-anchor:end}.below{text-anchor:middle}',
    '.ground{fill:#fff}.grid{stroke:#d8dee4;fill:none}.axis{stroke:#6e7781;fill:none}.line{fill:none;stroke-width:2}',
    colours(0),
    '@media(prefers-color-scheme:dark){',
    'text{fill:#e6edf3}.ground{fill:#0d1117}.grid{stroke:#30363d}.axis{stroke:#8b949e}',
    `${colours(1)}}`,
    '</style>',
  ].join('\n');
}

function fixed(value: number): number {
  return Number(value.toFixed(1));
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
