// What a server answers by plain HTTP: XML-RPC, metrics and health. Never
// rejects, whatever is asked.
import { stackOf } from '../../runtime/caught-errors.js';
import type { Log } from '../../runtime/log.js';
import type { HttpReply, HttpRequest } from '../../runtime/network.js';
import { isKnownHost, type KnownBy } from '../known-host.js';
import { basicAuthorized } from '../wire/authentication.js';
import { answerXmlRpc, type XmlRpcMethods } from './xml-rpc.js';

export interface HttpFace {
  /** Where the server listens: HOST:PORT; port 0 takes a free one. */
  address: string;
  /** POST /RPC2 */
  xmlRpc?: XmlRpcMethods;
  /** Text of GET /metrics, in Prometheus' format. */
  metrics?: () => Promise<string>;
  /** GET /healthz: 200 or 503, with these fields as JSON. */
  health?: () => { healthy: boolean; detail?: string };
  /** What a server answers besides; undefined for what is not its. */
  other?: (request: HttpRequest) => Promise<HttpReply | undefined>;
  /** Then all but /healthz needs Basic authentication with it as the password and any user name. */
  secret?: string;
}

const TEXT = 'text/plain; charset=utf-8';
const METRICS = 'text/plain; version=0.0.4; charset=utf-8';

export function httpFace(face: HttpFace, log: Log): (request: HttpRequest) => Promise<HttpReply> {
  return async (request) => {
    try {
      return await answer(face, request, log);
    } catch (error) {
      log.error('http.failed', { path: request.path, stack: stackOf(error) });
      return text(500, 'the server failed to answer; its log says why');
    }
  };
}

/** The refusal of a request without the secret, or of a page of another site, before its body is worth reading; undefined for all others. */
export function refuseHttp(
  { secret, health, address }: Pick<HttpFace, 'secret' | 'health' | 'address'>,
  { path, headers }: Omit<HttpRequest, 'body'>,
): HttpReply | undefined {
  if (isOfOtherSite(headers, { address, hasSecret: secret !== undefined }))
    return text(403, 'pages of other sites may not ask this server for anything');
  // Health is open to all: whoever watches over the servers need not know the secret.
  if (secret === undefined || (path === '/healthz' && health !== undefined)) return undefined;
  if (basicAuthorized(headers.authorization, secret)) return undefined;
  const reply = text(401, "this server wants the cluster's secret as the password of Basic authentication");
  return { ...reply, headers: { ...reply.headers, 'www-authenticate': 'Basic realm="nmrfs"' } };
}

/**
 * A browser says where the page is from that has it send a request; a page of this very server is welcome, unless it is so only by
 * a name that somebody else has led here.
 */
function isOfOtherSite({ origin, host }: HttpRequest['headers'], knownBy: KnownBy): boolean {
  return origin !== undefined && (origin !== `http://${host}` || !isKnownHost(host, knownBy));
}

async function answer(face: HttpFace, request: HttpRequest, log: Log): Promise<HttpReply> {
  const { xmlRpc, metrics, health, other } = face;
  const { method, path, body } = request;
  const refused = refuseHttp(face, request);
  if (refused !== undefined) return refused;
  if (path === '/healthz' && health !== undefined) {
    if (method !== 'GET') return notAllowed('GET');
    const { healthy, detail } = health();
    const content = JSON.stringify(detail === undefined ? { healthy } : { healthy, detail });
    return { status: healthy ? 200 : 503, headers: { 'content-type': 'application/json' }, body: `${content}\n` };
  }
  if (path === '/metrics' && metrics !== undefined) {
    if (method !== 'GET') return notAllowed('GET');
    return { status: 200, headers: { 'content-type': METRICS }, body: await metrics() };
  }
  if (path === '/RPC2' && xmlRpc !== undefined) {
    if (method !== 'POST') return notAllowed('POST');
    return { status: 200, headers: { 'content-type': 'text/xml' }, body: await answerXmlRpc(xmlRpc, body, log) };
  }
  const answered = await other?.(request);
  if (answered !== undefined) return answered;
  return text(404, 'there is nothing here; try /RPC2, /metrics or /healthz');
}

function notAllowed(allowed: string): HttpReply {
  const reply = text(405, `only ${allowed} is answered here`);
  return { ...reply, headers: { ...reply.headers, allow: allowed } };
}

function text(status: number, words: string): HttpReply {
  return { status, headers: { 'content-type': TEXT }, body: `${words}\n` };
}
