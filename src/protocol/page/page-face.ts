// What a server answers to browsers: the page's own files, its live events, its
// questions and its changes. Must never let another site's page change anything.

import { messageOf } from '../../runtime/caught-errors.js';
import { isProgramFault } from '../../runtime/faults.js';
import type { HttpReply, HttpRequest } from '../../runtime/network.js';
import { FileError, ServiceError } from '../errors.js';
import { isKnownHost, type KnownBy } from '../known-host.js';
import type { LiveFeed } from './live-feed.js';

/** A file of the page, as the build has made it. */
export interface PageFile {
  type: string;
  content: Uint8Array;
  /** Changes whenever the content does. */
  tag: string;
}

/** By path, without the slash before: index.html, app.js, app.css. */
export type PageFiles = ReadonlyMap<string, PageFile>;

type Answer = Promise<unknown>;

export interface PageParts extends KnownBy {
  files: PageFiles;
  live: LiveFeed;
  /** GET /page/NAME?…: answers are sent as JSON. */
  questions: Readonly<Record<string, (query: URLSearchParams) => Answer>>;
  /** POST /page/NAME with a JSON object, and the header that other sites can't send. */
  changes: Readonly<Record<string, (request: Record<string, unknown>) => Answer>>;
}

/** A page of another site can't send it without asking this server first, which answers no such question. */
export const CHANGE_HEADER = 'x-nmrfs-page';

const PREFIX = '/page/';
const LIVE = '/page/live';
/** Nothing but what this server sends, no script or style within the document, no frame around it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
const SAFE = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

/** undefined for what is not the page's. */
export async function answerPage(parts: PageParts, request: HttpRequest): Promise<HttpReply | undefined> {
  const { path, method } = request;
  const file = parts.files.get(path === '/' ? 'index.html' : path.slice(1));
  if (file === undefined && !path.startsWith(PREFIX)) return undefined;
  if (!isKnownHost(request.headers.host, parts)) return refuse(403, 'this server is not known by that name');
  if (file !== undefined) return reads(method) ? fileReply(file, request) : refuse(405, 'only GET is answered here');
  if (path === LIVE) return parts.live.reply();
  const name = path.slice(PREFIX.length);
  if (method === 'GET' && Object.hasOwn(parts.questions, name)) {
    return answered(async () => parts.questions[name]?.(new URLSearchParams(request.query)));
  }
  if (method === 'POST' && Object.hasOwn(parts.changes, name)) {
    if (request.headers[CHANGE_HEADER] === undefined) return refuse(403, `a change needs the header ${CHANGE_HEADER}`);
    return answered(async () => parts.changes[name]?.(parseObject(request.body)));
  }
  return refuse(404, 'there is nothing here');
}

/** HEAD is answered as GET: the body is left out when it is sent. */
function reads(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** A file as the browser gets it, or that it has it already. */
export function fileReply({ type, content, tag }: PageFile, { headers }: HttpRequest): HttpReply {
  const kept = { ...SAFE, 'cache-control': 'no-cache', etag: `"${tag}"` };
  if (headers['if-none-match'] === `"${tag}"`) return { status: 304, headers: kept, body: '' };
  return { status: 200, headers: { ...kept, 'content-type': type }, body: content };
}

async function answered(question: () => Answer): Promise<HttpReply> {
  try {
    return json(200, (await question()) ?? {});
  } catch (error) {
    if (isProgramFault(error)) throw error;
    const code = error instanceof ServiceError || error instanceof FileError ? error.code : 'FAILED';
    return json(code === 'REFUSED' ? 403 : 409, { error: messageOf(error), code });
  }
}

function parseObject(body: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(body));
  } catch {
    throw new ServiceError('MALFORMED', 'a change is a JSON object');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ServiceError('MALFORMED', 'a change is a JSON object');
  }
  return { ...value };
}

function json(status: number, value: unknown): HttpReply {
  const headers = { ...SAFE, 'content-type': 'application/json', 'cache-control': 'no-store' };
  return { status, headers, body: JSON.stringify(value) };
}

function refuse(status: number, words: string): HttpReply {
  return { status, headers: { ...SAFE, 'content-type': 'text/plain; charset=utf-8' }, body: `${words}\n` };
}
