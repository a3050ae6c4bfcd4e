// Several recordings in one file, with the table that leads into them: a line of JSON, and then the recordings, each compressed by
// itself, so that one can be taken out without the others.
import { RecordingError } from './reader.js';

export const COLLECTION_VERSION = 1;

export interface ProtocolRow {
  protocol: string;
  /** In the order of the columns; `**` around what is remarkable. */
  cells: { text: string; atUs: number }[];
}

export interface CollectionTable {
  fault: string;
  note?: string;
  rows: ProtocolRow[];
}

/** Where a recording lies, in bytes behind the line of JSON. */
export interface CollectionPlace {
  fault: string;
  protocol: string;
  start: number;
  bytes: number;
}

export interface CollectionHeader {
  nmrfs: 'recordings';
  version: number;
  title: string;
  columns: readonly string[];
  tables: CollectionTable[];
  recordings: CollectionPlace[];
}

const NEWLINE = 10;
/** The line of JSON of a table of protocols has some 30 KB. */
const MAXIMUM_HEADER_BYTES = 4 * 1024 * 1024;

/** @returns undefined for what is no collection. Throws RecordingError for one that can't be used. */
export async function readCollectionHeader(
  file: Blob,
): Promise<{ header: CollectionHeader; bodyAt: number } | undefined> {
  const start = new Uint8Array(await file.slice(0, MAXIMUM_HEADER_BYTES).arrayBuffer());
  const end = start.indexOf(NEWLINE);
  const marked = new TextDecoder().decode(start.subarray(0, 40));
  if (!marked.startsWith('{"nmrfs":"recordings"')) return undefined;
  const header = parse(new TextDecoder().decode(start.subarray(0, Math.max(0, end))));
  if (header === undefined) throw new RecordingError('The first line of these recordings is damaged.');
  if (header.version !== COLLECTION_VERSION) {
    throw new RecordingError(
      `These recordings are of version ${String(header.version)}, and this page reads version ${COLLECTION_VERSION}.`,
    );
  }
  return { header, bodyAt: end + 1 };
}

function parse(line: string): CollectionHeader | undefined {
  try {
    const value = JSON.parse(line) as unknown;
    return isHeader(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Of another version, the rest may have another shape. */
function isHeader(value: unknown): value is CollectionHeader {
  if (!isObject(value)) return false;
  const { version, title, columns, tables, recordings } = value;
  if (version !== COLLECTION_VERSION) return true;
  return isText(title) && isList(columns, isText) && isList(tables, isTable) && isList(recordings, isPlace);
}

function isTable(value: unknown): boolean {
  return isObject(value) && isText(value.fault) && isList(value.rows, isRow);
}

function isRow(value: unknown): boolean {
  return isObject(value) && isText(value.protocol) && isList(value.cells, isCell);
}

function isCell(value: unknown): boolean {
  return isObject(value) && isText(value.text) && Number.isFinite(value.atUs);
}

function isPlace(value: unknown): boolean {
  return isObject(value) && Number.isSafeInteger(value.start) && Number.isSafeInteger(value.bytes);
}

function isList(value: unknown, fits: (each: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(fits);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
