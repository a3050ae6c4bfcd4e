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
    `Milliseconds of processor time ${each}: all servers (mediator with its mount + metaservers + data servers).`,
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
  const compared = columns.map(([first = Number.NaN, ...others]) =>
    formatFigure((others.at(-1) ?? Number.NaN) / first),
  );
  return tableOf(
    [along, ...series.map(titleOf)],
    isCompared && points.length > 1 ? [...rows, ['last : first', ...compared]] : rows,
  );
}

function processorTable({ points, series }: CurveFigures, { along, format }: Presentation): string {
  const columns = series.map(processorMedians);
  const rows = points.map((point, at) => [format(point), ...columns.map((column) => processorCell(column[at]))]);
  return tableOf([along, ...series.map(({ name }) => name)], rows);
}

function processorCell(each: ProcessorMs | undefined): string {
  if (each === undefined) return '–';
  const parts = [each.mediator, each.metaservers, each.dataservers].map(formatFigure);
  return `${formatFigure(totalOf(each))} (${parts.join(' + ')})`;
}

function titleOf({ name, unit }: Series): string {
  return unit === '/s' ? `${name}, a second` : `${name}, ${unit}`;
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, at) => (at === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
