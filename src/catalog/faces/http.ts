// The catalog by HTTP and JSON, for curl: /v1/PATH is a path of the map, /status says how the server is.
import { Buffer } from 'node:buffer';
import { parseAddress } from '../../config/values.js';
import type { HttpReply, HttpRequest } from '../../runtime/network.js';
import type { Asker, Catalog, Found } from '../catalog.js';
import type { Command } from '../map/commands.js';
import { CatalogError, type CatalogErrorCode } from '../map/errors.js';
import { ROOT } from '../map/paths.js';

const STATUSES: Record<CatalogErrorCode, number> = {
  BAD_PATH: 400,
  BAD_REQUEST: 400,
  TOO_LARGE: 413,
  NOT_FOUND: 404,
  EXISTS: 409,
  NO_PARENT: 409,
  NOT_EMPTY: 409,
  VERSION: 412,
  NOT_LEADER: 307,
  CRASHED: 503,
  UNAVAILABLE: 503,
  OUTCOME_UNKNOWN: 504,
};

/** The vector timestamp that an asker brings, and gets back. */
const TIMESTAMP_HEADER = 'x-catalog-timestamp';
/** The same for each time that a request is made, so that it is carried out once. */
const TOKEN_HEADER = 'x-catalog-request';
const STALE_HEADER = 'x-catalog-stale';
const PREFIX = '/v1';
/** A request waits so long for a server that leads. */
const ANSWER_LIMIT_MS = 10_000;
/** Servers remember the last thousands of them. */
const LONGEST_TOKEN = 200;
const LONGEST_WAIT_S = 300;
const USUAL_WAIT_S = 30;

export interface HttpParts {
  catalog: Catalog;
  /** What a server that comes later must know. */
  configuration: () => Promise<object>;
  /** Ends this server, in order. */
  stop: () => void;
}

/** undefined for what is not the catalog's. */
export async function answerHttp(parts: HttpParts, request: HttpRequest): Promise<HttpReply | undefined> {
  const { path } = request;
  try {
    if (path === '/configuration') return json(200, await parts.configuration());
    if (path === '/status') return await status(parts.catalog, request);
    if (path === '/stop' || path === '/add' || path === '/remove') return await administrate(parts, request);
    if (path !== PREFIX && !path.startsWith(`${PREFIX}/`)) return undefined;
    return await answerPath(parts.catalog, request);
  } catch (error) {
    if (error instanceof CatalogError) return refusal(error, request);
    throw error;
  }
}

async function answerPath(catalog: Catalog, request: HttpRequest): Promise<HttpReply> {
  const { method, headers, body } = request;
  const path = pathIn(request.path);
  const query = new URLSearchParams(request.query);
  const asker = askerOf(headers);
  const version = numberIn(query, 'version');
  const options = { ...expectedOf(headers), ...(version === undefined ? {} : { version }) };
  switch (method) {
    case 'GET':
    case 'HEAD':
      return query.has('list') ? list(catalog, path, asker) : get(catalog, path, query, asker);
    case 'POST':
      return change(catalog, { kind: 'create', path, value: body, ...options }, asker, 201);
    case 'PUT':
      return change(catalog, { kind: 'set', path, value: body, ...options }, asker, 200);
    case 'DELETE':
      return change(catalog, { kind: 'remove', path, ...options }, asker, 200);
    default:
      return { ...json(405, { error: 'BAD_REQUEST', message: `${method} is not answered here` }), headers: ALLOWED };
  }
}

const ALLOWED = { allow: 'GET, HEAD, POST, PUT, DELETE' };

async function get(catalog: Catalog, path: string, query: URLSearchParams, asker: Asker): Promise<HttpReply> {
  const known = numberIn(query, 'wait');
  const seconds = Math.min(LONGEST_WAIT_S, numberIn(query, 'timeout') ?? USUAL_WAIT_S);
  if (known !== undefined) await catalog.waitForChange(path, known, seconds * 1000);
  const found = await catalog.get(path, asker);
  const headers = headersOf(found);
  if (query.has('raw')) {
    return { status: 200, headers: { ...headers, 'content-type': 'application/octet-stream' }, body: found.bytes };
  }
  const { version, stale } = found;
  return json(200, { path, version, ...contentOf(found.bytes), ...(stale === undefined ? {} : { stale }) }, headers);
}

async function list(catalog: Catalog, path: string, asker: Asker): Promise<HttpReply> {
  const listed = await catalog.list(path, asker);
  const { stale } = listed;
  const content = { path, children: listed.names, ...(stale === undefined ? {} : { stale }) };
  return json(200, content, headersOf(listed));
}

async function change(catalog: Catalog, command: Command, asker: Asker, success: number): Promise<HttpReply> {
  const changed = await catalog.change(command, asker);
  const { version, stale } = changed;
  return json(success, { path: command.path, version, ...(stale === undefined ? {} : { stale }) }, headersOf(changed));
}

async function status(catalog: Catalog, { method }: HttpRequest): Promise<HttpReply> {
  if (method !== 'GET') throw new CatalogError('BAD_REQUEST', 'only GET is answered here');
  return json(200, await catalog.status());
}

async function administrate({ catalog, stop }: HttpParts, { method, path, query }: HttpRequest): Promise<HttpReply> {
  if (method !== 'POST') throw new CatalogError('BAD_REQUEST', 'only POST is answered here');
  if (path === '/stop') {
    stop();
    return json(202, { stopping: true });
  }
  const asked = new URLSearchParams(query);
  const name = asked.get('name');
  if (name === null || name === '') throw new CatalogError('BAD_REQUEST', `which server? ${path}?name=NAME`);
  if (path === '/add') {
    const address = asked.get('address') ?? '';
    if ((parseAddress(address)?.port ?? 0) === 0)
      throw new CatalogError('BAD_REQUEST', 'where? /add?name=NAME&address=HOST:PORT');
    await catalog.addServer(name, address, ANSWER_LIMIT_MS);
    return json(200, { added: name, address });
  }
  const isNews = await catalog.removeServer(name, ANSWER_LIMIT_MS);
  return json(200, { removed: name, ...(isNews ? {} : { message: `${name} was removed before` }) });
}

function refusal(error: CatalogError, { path, query }: HttpRequest): HttpReply {
  const { code, message, leader } = error;
  // Whoever can't be told where to go may try again.
  const status = code === 'NOT_LEADER' && leader === undefined ? 503 : STATUSES[code];
  const content = { error: code, message, ...(leader === undefined ? {} : { leader }) };
  const place = leader === undefined ? {} : { location: `http://${leader.address}${path}${query && `?${query}`}` };
  return json(status, content, place);
}

function pathIn(urlPath: string): string {
  const rest = urlPath.slice(PREFIX.length);
  if (rest === '' || rest === '/') return ROOT;
  try {
    return decodeURIComponent(rest);
  } catch {
    throw new CatalogError('BAD_PATH', `${rest} is no path: a % is not followed by what it should be`);
  }
}

function askerOf(headers: HttpRequest['headers']): Asker {
  const { [TIMESTAMP_HEADER]: timestamp, [TOKEN_HEADER]: token } = headers;
  if ((token?.length ?? 0) > LONGEST_TOKEN) {
    throw new CatalogError('BAD_REQUEST', `${TOKEN_HEADER} may have ${LONGEST_TOKEN} characters`);
  }
  return {
    limitMs: ANSWER_LIMIT_MS,
    ...(timestamp === undefined ? {} : { timestamp }),
    ...(token === undefined ? {} : { token }),
  };
}

/** If-Match: "3", or 3, or * for any. */
function expectedOf(headers: HttpRequest['headers']): { expected?: number } {
  const match = headers['if-match'];
  if (match === undefined || match === '*') return {};
  const digits = /^"?(\d{1,15})"?$/.exec(match)?.[1];
  if (digits === undefined) throw new CatalogError('BAD_REQUEST', `If-Match: ${match} is no version`);
  return { expected: Number(digits) };
}

function numberIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new CatalogError('BAD_REQUEST', `${name}=${text} is no number`);
  return Number(text);
}

/** Text where it is text, else base64. */
function contentOf(bytes: Uint8Array): { value: string } | { base64: string } {
  try {
    return { value: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { base64: Buffer.from(bytes).toString('base64') };
  }
}

function headersOf({ version, timestamp, stale }: Partial<Found>): Record<string, string> {
  return {
    ...(version === undefined ? {} : { etag: `"${version}"` }),
    ...(timestamp === undefined ? {} : { [TIMESTAMP_HEADER]: timestamp }),
    ...(stale === undefined ? {} : { [STALE_HEADER]: encodeURI(stale) }),
  };
}

function json(status: number, content: object, headers: Record<string, string> = {}): HttpReply {
  return { status, headers: { ...headers, 'content-type': 'application/json' }, body: `${JSON.stringify(content)}\n` };
}
