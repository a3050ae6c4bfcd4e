// Serves the page and one recording on this machine only. Reads nothing but these.
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { serve } from '../../protocol/http/server.js';
import { fileReply, isKnownHost, type PageFile } from '../../protocol/page/page-face.js';
import { MAXIMUM_BYTES } from '../../recording/reader.js';
import type { HttpReply, HttpRequest } from '../../runtime/network.js';
import { CommandFailure } from '../failure.js';
import { print } from '../output.js';
import { loadPage } from '../page-files.js';
import { commandRuntime } from '../runtime.js';

/** Where the page looks for the recording that it is served for. */
const RECORDING = '/recording';
const MIB = 1024 * 1024;

/** Resolves after Ctrl-C. @param path of a recording; without one, the table of protocols is shown */
export async function serveReplay(path: string | undefined, port: number): Promise<void> {
  if (path !== undefined) await checkSize(path);
  const files = await loadPage();
  const index = files.get('index.html');
  if (index === undefined) throw new CommandFailure('the page is missing: build it with npm run build');
  const alone = aloneOf(index);
  let address = '';
  const other = async (request: HttpRequest): Promise<HttpReply | undefined> => {
    if (!isKnownHost(request.headers.host, { address, hasSecret: false })) return refuse(403, 'unknown host');
    if (request.method !== 'GET') return refuse(405, 'only GET is answered here');
    if (request.path === '/') return fileReply(alone, request);
    if (request.path === RECORDING && path !== undefined) return recordingReply(path, request);
    const file = files.get(request.path.slice(1));
    return file === undefined ? undefined : fileReply(file, request);
  };
  const server = await serve({ address: `127.0.0.1:${port}`, services: {}, other }, commandRuntime());
  address = server.address;
  const what = path === undefined ? 'the table of protocols' : basename(path);
  print(`${what}: http://${address}/#/replay${path === undefined ? '' : '/served'}   (Ctrl-C ends it)`);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
  await server.close();
}

async function checkSize(path: string): Promise<void> {
  const { size } = await stat(path);
  if (size <= MAXIMUM_BYTES) return;
  throw new CommandFailure(
    `${path} has ${Math.round(size / MIB)} MiB, and ${MAXIMUM_BYTES / MIB} MiB is the most that can be shown: record fewer steps, or a shorter time`,
  );
}

/** The same page, which looks for no cluster. */
function aloneOf({ type, content }: PageFile): PageFile {
  const text = new TextDecoder().decode(content).replace('<div id="page">', '<div id="page" data-alone>');
  return { type, content: new TextEncoder().encode(text), tag: 'alone' };
}

/** Read anew each time: whoever records again reloads the page. */
async function recordingReply(path: string, request: HttpRequest): Promise<HttpReply> {
  const { mtimeMs, size } = await stat(path);
  const file = { type: 'application/octet-stream', content: await readFile(path), tag: `${mtimeMs}-${size}` };
  return fileReply(file, request);
}

function refuse(status: number, words: string): HttpReply {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${words}\n` };
}
