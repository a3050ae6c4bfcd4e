// What subcommands print for people: aligned columns, colour only on a
// terminal, and JSON on request.
import { stripVTControlCharacters } from 'node:util';

const ESCAPES = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;

export type Colour = keyof typeof ESCAPES;

export interface Column {
  title: string;
  right?: boolean;
}

/** The text coloured, when standard output is a terminal and NO_COLOR is not set. */
export function paint(colour: Colour, text: string): string {
  return paintOn(process.stdout, colour, text);
}

/** The same for another stream. */
export function paintOn(stream: NodeJS.WriteStream, colour: Colour, text: string): string {
  const coloured = stream.isTTY && process.env.NO_COLOR === undefined;
  return coloured ? `\u001b[${ESCAPES[colour]}m${text}\u001b[0m` : text;
}

/** Lines of a table with a heading; cells may carry colour. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...rows.map((row) => visibleLength(row[index] ?? ''))),
  );
  const line = (cells: readonly string[]): string =>
    columns
      .map((column, index) => {
        const cell = cells[index] ?? '';
        const space = ' '.repeat((widths[index] ?? 0) - visibleLength(cell));
        return column.right === true ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd();
  return [paint('bold', line(columns.map(({ title }) => title))), ...rows.map(line)].join('\n');
}

function visibleLength(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** Data as JSON. Hashes are 16 hexadecimal digits, times ISO 8601, other 64-bit numbers decimal text. */
export function printJson(value: unknown): void {
  process.stdout.write(
    `${JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part), 2)}\n`,
  );
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Nanoseconds since 1970 as ISO 8601 with microseconds. */
export function formatTime(timeNs: bigint): string {
  const microseconds = timeNs / 1000n;
  const iso = new Date(Number(microseconds / 1000n)).toISOString();
  return iso.replace('Z', `${String(((microseconds % 1000n) + 1000n) % 1000n).padStart(3, '0')}Z`);
}
