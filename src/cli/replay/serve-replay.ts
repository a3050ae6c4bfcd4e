// Serves the page and one recording on this machine only. Reads nothing but these.
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { constants, gunzipSync } from 'node:zlib';
import { serve } from '../../protocol/http/server.js';
import { isKnownHost } from '../../protocol/known-host.js';
import { fileReply, type PageFile } from '../../protocol/page/page-face.js';
import { MAXIMUM_BYTES } from '../../recording/reader.js';
import { hasCode, messageOf } from '../../runtime/caught-errors.js';
import type { HttpReply, HttpRequest } from '../../runtime/network.js';
import { CommandFailure } from '../failure.js';
import { print } from '../output.js';
import { loadPage } from '../page-files.js';
import { commandRuntime } from '../runtime.js';

/** Where the page looks for the recording that it is served for. */
const RECORDING = '/recording';
const MIB = 1024 * 1024;
const NEWLINE = 10;

/** Resolves after Ctrl-C. @param paths of recordings, shown as one; without any, the table of protocols is shown */
export async function serveReplay(paths: readonly string[], port: number): Promise<void> {
  await checkSize(paths);
  const files = await loadPage();
  const index = files.get('index.html');
  if (index === undefined) throw new CommandFailure('the page is missing: build it with npm run build');
  const alone = aloneOf(index);
  let address = '';
  const other = async (request: HttpRequest): Promise<HttpReply | undefined> => {
    if (!isKnownHost(request.headers.host, { address, hasSecret: false })) return refuse(403, 'unknown host');
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(405, 'only GET is answered here');
    if (request.path === '/') return fileReply(alone, request);
    if (request.path === RECORDING && paths.length > 0) return recordingReply(paths, request);
    const file = files.get(request.path.slice(1));
    return file === undefined ? undefined : fileReply(file, request);
  };
  const server = await serve({ address: `127.0.0.1:${port}`, services: {}, other }, commandRuntime());
  address = server.address;
  const what = paths.length === 0 ? 'the table of protocols' : paths.map((path) => basename(path)).join(', ');
  print(`${what}: http://${address}/#/replay${paths.length === 0 ? '' : '/served'}   (Ctrl-C ends it)`);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
  await server.close();
}

async function checkSize(paths: readonly string[]): Promise<void> {
  const sizes = await Promise.all(paths.map(sizeOf));
  const size = sizes.reduce((sum, each) => sum + each, 0);
  if (size <= MAXIMUM_BYTES) return;
  throw new CommandFailure(
    `${paths.join(', ')}: ${Math.round(size / MIB)} MiB, and ${MAXIMUM_BYTES / MIB} MiB is the most that can be shown: record fewer steps, or a shorter time`,
  );
}

/** A folder has no lines, and a device no end. */
async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch((error: unknown) => {
    throw new CommandFailure(`${path}: ${hasCode(error, 'ENOENT') ? 'there is no such file' : messageOf(error)}`);
  });
  if (!found.isFile()) throw new CommandFailure(`${path} is no file`);
  return found.size;
}

/** The same page, which looks for no cluster. */
function aloneOf({ type, content }: PageFile): PageFile {
  const text = new TextDecoder().decode(content).replace('<div id="page">', '<div id="page" data-alone>');
  return { type, content: new TextEncoder().encode(text), tag: 'alone' };
}

/** Read anew each time: whoever records again reloads the page. Several are sent one behind the other, as lines. */
async function recordingReply(paths: readonly string[], request: HttpRequest): Promise<HttpReply> {
  const contents = await Promise.all(paths.map((path) => readFile(path)));
  const [only] = contents;
  const content = contents.length === 1 && only !== undefined ? only : Buffer.concat(contents.map(asLines));
  const tag = createHash('sha256').update(content).digest('base64url').slice(0, 16);
  return fileReply({ type: 'application/octet-stream', content, tag }, request);
}

/** One that was cut off while it was compressed gives what it has. */
function asLines(content: Buffer): Buffer {
  const isCompressed = content[0] === 0x1f && content[1] === 0x8b;
  const plain = isCompressed
    ? gunzipSync(content, { maxOutputLength: MAXIMUM_BYTES, finishFlush: constants.Z_SYNC_FLUSH })
    : content;
  return plain.at(-1) === NEWLINE ? plain : Buffer.concat([plain, Buffer.of(NEWLINE)]);
}

function refuse(status: number, words: string): HttpReply {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${words}\n` };
}
