// etcd's JSON gateway: requests by POST, keys and values in base64, 64-bit numbers as text. Every request that is made here may be
// carried out twice: a member of etcd that does not answer soon is not waited for, the next one is asked the same.
import { Buffer } from 'node:buffer';
import { messageOf } from '../../runtime/caught-errors.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import { isProgramFault } from '../../runtime/faults.js';
import type { HttpClient } from '../../runtime/http-client.js';
import { EtcdError, errorOfAnswer, errorOfSilence, needsToken } from './etcd-error.js';

export interface EtcdAccess {
  /** As http://HOST:PORT. */
  readonly endpoints: readonly string[];
  readonly user?: { readonly name: string; readonly password: string };
}

export interface GatewayParts extends EtcdAccess {
  http: HttpClient;
  clock: Clock;
}

/** How long a member of etcd may take, and after what time the next one is asked as well. */
export interface Patience {
  deadlineMs: number;
  nextAfterMs: number;
}

const AUTHENTICATION: Patience = { deadlineMs: 3000, nextAfterMs: 1000 };

type Answer = Record<string, unknown>;

export class Gateway {
  /** Asked first. */
  #preferred = 0;
  #token: Promise<string> | null = null;

  readonly #parts: GatewayParts;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
  }

  /** Rejects with an EtcdError. */
  async call(path: string, body: object, patience: Patience): Promise<Answer> {
    const text = JSON.stringify(body);
    if (this.#parts.user === undefined) return this.#ask(path, text, {}, patience);
    const token = await this.#authenticated();
    try {
      return await this.#ask(path, text, { Authorization: token }, patience);
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      // Tokens expire. Another request may have got the next one.
      if ((await this.#token) === token) this.#token = null;
      return this.#ask(path, text, { Authorization: await this.#authenticated() }, patience);
    }
  }

  #authenticated(): Promise<string> {
    const token = this.#token ?? this.#authenticate();
    this.#token = token;
    token.catch(() => {
      if (this.#token === token) this.#token = null;
    });
    return token;
  }

  async #authenticate(): Promise<string> {
    const { token } = await this.#ask('/v3/auth/authenticate', JSON.stringify(this.#parts.user), {}, AUTHENTICATION);
    if (typeof token !== 'string') throw new EtcdError('refused', 'etcd has answered no token');
    return token;
  }

  /** One after the other, and without waiting for those that are slow. The first answer counts. */
  #ask(path: string, body: string, headers: Record<string, string>, patience: Patience): Promise<Answer> {
    const { endpoints, clock } = this.#parts;
    const first = this.#preferred;
    return new Promise((resolve, reject) => {
      let asked = 0;
      let failed = 0;
      let isSettled = false;
      let timer: Timer | null = null;
      const next = () => {
        timer?.cancel();
        timer = null;
        if (isSettled || asked === endpoints.length) return;
        const at = (first + asked++) % endpoints.length;
        if (asked < endpoints.length) timer = clock.after(patience.nextAfterMs, next);
        this.#post(endpoints[at] ?? '', path, body, headers, patience.deadlineMs).then(
          (answer) => {
            timer?.cancel();
            if (isSettled) return;
            isSettled = true;
            this.#preferred = at;
            resolve(answer);
          },
          (error: unknown) => {
            failed++;
            if (isSettled) return;
            const isLast = failed === endpoints.length;
            if (isLast || !(error instanceof EtcdError) || error.trouble !== 'away' || error instanceof TokenError) {
              timer?.cancel();
              isSettled = true;
              if (isLast && this.#preferred === first) this.#preferred = (first + 1) % endpoints.length;
              reject(error);
            } else {
              next();
            }
          },
        );
      };
      next();
    });
  }

  async #post(
    endpoint: string,
    path: string,
    body: string,
    headers: Record<string, string>,
    deadlineMs: number,
  ): Promise<Answer> {
    const answer = await this.#parts.http
      .post(`${endpoint}${path}`, body, { 'Content-Type': 'application/json', ...headers }, deadlineMs)
      .catch((error: unknown) => {
        // fetch throws a TypeError for what the network does; the adapter answers its cause.
        if (isProgramFault(error)) throw error;
        throw errorOfSilence(endpoint, messageOf(error));
      });
    if (answer.status !== 200) {
      if (headers.Authorization !== undefined && needsToken(answer)) throw new TokenError(answer.body);
      throw errorOfAnswer(endpoint, answer);
    }
    return parsed(endpoint, answer.body);
  }
}

/** Another token may help; where it does not either, as with a member of etcd that lags behind, it is tried again later. */
class TokenError extends EtcdError {
  constructor(message: string) {
    super('away', message);
  }
}

export function encodeText(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

function parsed(endpoint: string, body: string): Answer {
  try {
    return JSON.parse(body) as Answer;
  } catch {
    throw new EtcdError('away', `${endpoint}: what it answers is no JSON`);
  }
}
