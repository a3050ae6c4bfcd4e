// HTTP by Node's own fetch. It takes neither an authority nor a certificate of one's own: with these, by Node's own https.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import type { HttpAnswer, HttpClient } from '../http-client.js';

/** Paths of PEM files. */
export interface TlsFiles {
  /** Who vouches for the servers, instead of the system's authorities. */
  readonly ca?: string;
  /** Who this client is. */
  readonly certificate?: string;
  readonly key?: string;
}

/** Throws when a file can't be read. */
export function nodeHttpClient(tls?: TlsFiles): HttpClient {
  return tls === undefined ? fetchClient : new HttpsClient(tls);
}

const fetchClient: HttpClient = {
  async post(url, body, headers, deadlineMs) {
    try {
      const answer = await fetch(url, { method: 'POST', body, headers, signal: AbortSignal.timeout(deadlineMs) });
      return { status: answer.status, body: await answer.text() };
    } catch (error) {
      throw causeOf(error);
    }
  },
};

class HttpsClient implements HttpClient {
  readonly #agent: Agent;

  constructor({ ca, certificate, key }: TlsFiles) {
    this.#agent = new Agent({
      keepAlive: true,
      ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
      ...(certificate === undefined ? {} : { cert: readFileSync(certificate) }),
      ...(key === undefined ? {} : { key: readFileSync(key) }),
    });
  }

  post(url: string, body: string, headers: Readonly<Record<string, string>>, deadlineMs: number): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(deadlineMs);
      const sent = request(url, { method: 'POST', agent: this.#agent, headers, signal }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
        );
      });
      sent.on('error', (error) => reject(causeOf(error)));
      sent.end(body);
    });
  }
}

/** fetch says "fetch failed", and why in the cause; a name with several addresses fails for several reasons. */
function causeOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return new Error('no answer in time');
  if (error instanceof AggregateError && error.errors.length > 0) return causeOf(error.errors[0]);
  return error.cause === undefined ? error : causeOf(error.cause);
}
