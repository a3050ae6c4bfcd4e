// What goes wrong with etcd, in words that say what to do.

/**
 * - away: no member of etcd answers, or they have no leader. The request may be carried out, now or later, or not.
 * - gone: what was asked for is not there any more, as a lease that has expired.
 * - refused: etcd has understood and does not do it; trying again does not help by itself.
 */
export type EtcdTrouble = 'away' | 'gone' | 'refused';

export class EtcdError extends Error {
  override readonly name = 'EtcdError';
  readonly code: 'ETCD_AWAY' | 'ETCD_GONE' | 'ETCD_REFUSED';

  constructor(
    readonly trouble: EtcdTrouble,
    message: string,
  ) {
    super(message);
    this.code = CODES[trouble];
  }
}

const CODES = { away: 'ETCD_AWAY', gone: 'ETCD_GONE', refused: 'ETCD_REFUSED' } as const;

/** Codes of gRPC, which the gateway passes on. */
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const UNAUTHENTICATED = 16;
const TEMPORARY: ReadonlySet<number> = new Set([1, 2, 4, 10, 13, 14]);

const ADVICE: readonly [text: RegExp, advice: string][] = [
  [
    /database space exceeded/,
    'etcd is full (alarm NOSPACE): compact and defragment it, raise --quota-backend-bytes if need be, then "etcdctl alarm disarm"',
  ],
  [/authentication failed/, 'etcd knows no such user with that password: mend etcd.user in the configuration'],
  [/authentication is not enabled/, 'etcd has no users: take etcd.user out of the configuration'],
  [/user name is empty/, 'etcd wants a user: name one in the configuration, etcd.user'],
  [
    /CommonName of client/,
    'where etcd has users, its gateway takes no certificate of a client with a CommonName: make one without',
  ],
  [/permission denied/, "etcd's user may not read and write below etcd.prefix: grant it a role for that"],
];

const TLS_ADVICE: readonly [text: RegExp, advice: string][] = [
  [
    /unable to verify|self[- ]signed|unable to get (local )?issuer/,
    'nobody vouches for its certificate: name the authority, etcd.tls.ca',
  ],
  [
    /alert bad certificate|certificate required/,
    'it wants a certificate that it knows: etcd.tls.certificate and etcd.tls.key',
  ],
];

/** No answer has come. */
export function errorOfSilence(endpoint: string, reason: string): EtcdError {
  const advice = TLS_ADVICE.find(([pattern]) => pattern.test(reason))?.[1];
  return new EtcdError('away', `${endpoint}: ${advice === undefined ? reason.trim() : `${advice} (${reason.trim()})`}`);
}

/** @param answer what the gateway answered */
export function errorOfAnswer(endpoint: string, answer: { status: number; body: string }): EtcdError {
  const { code, text } = parse(answer);
  const advice = ADVICE.find(([pattern]) => pattern.test(text))?.[1];
  const message = `${endpoint}: ${advice === undefined ? text : `${advice} (${text})`}`;
  if (code === NOT_FOUND && /lease not found/.test(text)) return new EtcdError('gone', message);
  const isOver = TEMPORARY.has(code) || (code === RESOURCE_EXHAUSTED && advice === undefined);
  return new EtcdError(isOver && advice === undefined ? 'away' : 'refused', message);
}

/** Whether another token may help. */
export function needsToken({ status, body }: { status: number; body: string }): boolean {
  const { code, text } = parse({ status, body });
  // After any change of users or roles, as far as tokens carry the revision of these.
  return code === UNAUTHENTICATED || /revision of auth store is old/.test(text);
}

function parse({ status, body }: { status: number; body: string }): { code: number; text: string } {
  try {
    const answer = JSON.parse(body) as { code?: unknown; error?: unknown; message?: unknown };
    const { code, error, message } = answer;
    if (typeof code === 'number') return { code, text: String(message ?? error) };
    // Of a stream, as that of a lease.
    const nested = error as { grpc_code?: unknown; message?: unknown } | null | undefined;
    if (typeof nested === 'object' && typeof nested?.grpc_code === 'number') {
      return { code: nested.grpc_code, text: String(nested.message) };
    }
  } catch {
    // Whatever answers there is no etcd, or is something in front of it: its own words are the best that there is.
  }
  const isProxy = status >= 500;
  return {
    code: isProxy ? 14 : PERMISSION_DENIED,
    text: `this is no etcd of version 3.4 or later: status ${status}, ${JSON.stringify(body.slice(0, 100))}`,
  };
}
