// Brings a recording in: from a file of the reader's, from the collection that comes with the page, or from the server. Reads it as
// it comes, and gives up early on what can't be shown.
import { type CollectionHeader, readCollectionHeader } from '../../recording/collection.js';
import { MAXIMUM_BYTES, type Recording, RecordingError, RecordingReader } from '../../recording/reader.js';

const GZIP_MAGIC = [0x1f, 0x8b];
const MIB = 1024 * 1024;

export interface Collection {
  header: CollectionHeader;
  /** Takes one of its recordings out. */
  open(fault: string, protocol: string): Promise<Recording>;
}

type Progress = (bytes: number) => void;

/** One recording, or several with their table; several files are shown as one recording. Throws RecordingError. */
export async function openFiles(files: readonly Blob[], progress: Progress): Promise<Recording | Collection> {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  if (bytes > MAXIMUM_BYTES) throw tooLarge(bytes);
  const [first] = files;
  const collection = files.length === 1 && first !== undefined ? await openCollection(first) : undefined;
  return collection ?? readRecordings(files, progress);
}

/** What the server has under that name. Throws RecordingError. */
export async function fetchFile(name: string): Promise<Blob> {
  let answer: Response;
  try {
    answer = await fetch(name);
  } catch {
    throw new RecordingError('The server does not answer. Try again when it is there.');
  }
  if (!answer.ok) throw new RecordingError(`The server has no such recording (${answer.status}).`);
  const size = Number(answer.headers.get('content-length') ?? 0);
  if (size > MAXIMUM_BYTES) throw tooLarge(size);
  return answer.blob();
}

export function isCollection(opened: Recording | Collection): opened is Collection {
  return 'open' in opened;
}

async function openCollection(file: Blob): Promise<Collection | undefined> {
  const found = await readCollectionHeader(file);
  if (found === undefined) return undefined;
  const { header, bodyAt } = found;
  return {
    header,
    open(fault, protocol) {
      const place = header.recordings.find((each) => each.fault === fault && each.protocol === protocol);
      if (place === undefined) return Promise.reject(new RecordingError('There is no recording of this run.'));
      const start = bodyAt + place.start;
      return readRecordings([file.slice(start, start + place.bytes)], () => {});
    },
  };
}

async function readRecordings(files: readonly Blob[], progress: Progress): Promise<Recording> {
  const reading = new RecordingReader();
  let read = 0;
  const taken = (bytes: number): void => {
    read += bytes;
    if (read > MAXIMUM_BYTES) throw tooLarge(read);
    progress(read);
  };
  for (const file of files) {
    await readFile(file, reading, taken);
    reading.nextFile();
  }
  return reading.end();
}

async function readFile(file: Blob, reading: RecordingReader, taken: (bytes: number) => void): Promise<void> {
  const start = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const isCompressed = GZIP_MAGIC.every((byte, at) => start[at] === byte);
  const bytes: ReadableStream<BufferSource> = isCompressed
    ? file.stream().pipeThrough(new DecompressionStream('gzip'))
    : file.stream();
  const stream = bytes.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await stream.read();
      if (done) break;
      taken(value.byteLength);
      reading.push(decoder.decode(value, { stream: true }));
    }
  } catch (error) {
    await stream.cancel().catch(() => {});
    if (error instanceof RecordingError) throw error;
    // The compressed bytes are damaged, or the file has changed since it was chosen: what came before counts.
  }
}

function tooLarge(bytes: number): RecordingError {
  return new RecordingError(
    `This recording has ${Math.round(bytes / MIB)} MiB or more, and ${MAXIMUM_BYTES / MIB} MiB is the most that can be shown: ` +
      'record fewer steps, or a shorter time.',
  );
}
