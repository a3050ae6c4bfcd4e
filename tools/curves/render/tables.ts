// The tables of a curve: medians, and what processor time stands behind them.
import { type CurveFigures, mediansOf, type ProcessorMs, processorMedians, type Series, totalOf } from '../figures.js';
import { formatFigure } from './numbers.js';
import type { Presentation } from './presentation.js';

export function tablesOf(figures: CurveFigures, presentation: Presentation): string {
  const withProcessor = figures.series.filter(({ processorMs }) => processorMs !== undefined);
  if (withProcessor.length === 0) return mediansTable(figures, presentation);
  const each = presentation.each ?? 'an operation';
  return [
    mediansTable(figures, presentation),
    '',
    `Milliseconds of processor time ${each}: all servers (${kindsOf(withProcessor)}).`,
    '',
    processorTable({ ...figures, series: withProcessor }, presentation),
  ].join('\n');
}

function mediansTable({ points, series }: CurveFigures, { along, format, isCompared }: Presentation): string {
  const columns = series.map(mediansOf);
  const rows = points.map((point, at) => [
    format(point),
    ...columns.map((column) => formatFigure(column[at] ?? Number.NaN)),
  ]);
  if (isCompared && points.length > 1) {
    const ratio = ([first = Number.NaN, ...others]: number[]) => formatFigure((others.at(-1) ?? Number.NaN) / first);
    rows.push(['last : first', ...columns.map(ratio)]);
    if (series.every(({ unit }) => PARTS[unit] !== undefined))
      rows.push(['each more', ...series.map((each, at) => slopeCell(points, columns[at] ?? [], each.unit))]);
  }
  return tableOf([along, ...series.map(titleOf)], rows);
}

/** How many of a smaller unit make one. */
const PARTS: Record<string, { count: number; name: string }> = {
  MiB: { count: 2 ** 20, name: 'bytes' },
  s: { count: 1e6, name: 'µs' },
};

/** What one more along the bottom adds, by the last two points that were measured. */
function slopeCell(points: readonly number[], column: readonly number[], unit: string): string {
  const measured = points.flatMap((x, at) => {
    const y = column[at] ?? Number.NaN;
    return Number.isNaN(y) ? [] : [{ x, y }];
  });
  const [last, previous] = [measured.at(-1), measured.at(-2)];
  const parts = PARTS[unit];
  if (last === undefined || previous === undefined || parts === undefined) return '–';
  return `${formatFigure(((last.y - previous.y) * parts.count) / (last.x - previous.x))} ${parts.name}`;
}

function processorTable({ points, series }: CurveFigures, { along, format }: Presentation): string {
  const columns = series.map(processorMedians);
  const rows = points.map((point, at) => [format(point), ...columns.map((column) => processorCell(column[at]))]);
  return tableOf([along, ...series.map(({ name }) => name)], rows);
}

function kindsOf(series: readonly Series[]): string {
  const hasMounts = series.some((each) => processorMedians(each).some((parts) => parts?.mounts !== undefined));
  return `${hasMounts ? 'mediator + mounts' : 'mediator with its mount'} + metaservers + data servers`;
}

function processorCell(each: ProcessorMs | undefined): string {
  if (each === undefined) return '–';
  const { mediator, mounts, metaservers, dataservers } = each;
  const parts = [mediator, ...(mounts === undefined ? [] : [mounts]), metaservers, dataservers].map(formatFigure);
  return `${formatFigure(totalOf(each))} (${parts.join(' + ')})`;
}

function titleOf({ name, unit }: Series): string {
  return unit === '/s' ? `${name}, a second` : `${name}, ${unit}`;
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, at) => (at === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
