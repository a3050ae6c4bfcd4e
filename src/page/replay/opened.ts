// What is open: by the part of the address that names it. Files of the reader's stay open while they look at other views.
import type { Recording } from '../../recording/reader.js';
import { Store } from '../live/store.js';
import { type Collection, fetchFile, isCollection, openFiles } from './load.js';

/** What the server has: the runs of the table, and the recording that it was started for. */
const SERVED: Readonly<Record<string, string>> = { '/protocols': 'protocols.recordings', '/served': 'recording' };
/** A file of the reader's. */
export const OWN = '/file';

export interface Opened {
  /** Of the file. */
  name: string;
  content: Recording | Collection;
}

export const opened = new Store<Readonly<Record<string, Opened>>>({});

export async function openOwn(files: readonly File[], progress: (bytes: number) => void): Promise<void> {
  const content = await openFiles(files, progress);
  opened.value = { ...opened.value, [OWN]: { name: namesOf(files), content } };
}

export function namesOf(files: readonly File[]): string {
  return files.map(({ name }) => name).join(', ');
}

/** Throws RecordingError. */
export async function openServed(rest: string): Promise<void> {
  const name = SERVED[rest];
  if (name === undefined || opened.value[rest] !== undefined) return;
  const content = await openFiles([await fetchFile(name)], () => {});
  opened.value = { ...opened.value, [rest]: { name, content } };
}

/** The recording within a collection that was taken out last, by its place. */
const taken = new Map<Collection, { key: string; recording: Promise<Recording> }>();

/** @param table the number of its fault */
export function takeOut(collection: Collection, table: number, protocol: string): Promise<Recording> {
  const key = `${table} ${protocol}`;
  const last = taken.get(collection);
  if (last?.key === key) return last.recording;
  const recording = collection.open(collection.header.tables[table]?.fault ?? '', protocol);
  taken.set(collection, { key, recording });
  return recording;
}

export { isCollection };
