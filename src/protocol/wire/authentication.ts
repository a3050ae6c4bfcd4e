// Who may speak: the handshake that opens every binary connection. Both sides
// prove that they know the cluster's secret without saying it: each signs the
// nonces of both with HMAC-SHA-256 and its role, so that no proof can be sent
// back to the side it came from or be used again. Without a secret only the
// protocol's version is compared. Nothing here does I/O: frames in, frames out.
//
//   client: hello (version, nonce)
//   server: challenge (version, whether a proof is wanted, nonce)
//   client: proof               only when it is wanted
//   server: proof of its own    only when it is wanted; or, at any point, a refusal with its reason
import { Buffer } from 'node:buffer';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { MAXIMUM_HANDSHAKE_FRAME_BYTES } from '../limits.js';

/** Changes whenever an older peer would misunderstand. */
export const PROTOCOL_VERSION = 8;
export const NONCE_BYTES = 32;

const MAGIC = Buffer.from('nmrfs');
const HELLO = 1;
const CHALLENGE = 2;
const PROOF = 3;
const REFUSAL = 4;
const PROOF_BYTES = 32;

/**
 * What a frame leads to.
 * - going: send, and wait for the next frame
 * - open: send, if there is something, and both know each other
 * - refused: send, if there is something, and close; the reason is for the log and for the caller
 */
export type Step =
  | { state: 'going'; send: Uint8Array }
  | { state: 'open'; send?: Uint8Array }
  | { state: 'refused'; send?: Uint8Array; reason: string };

export interface Handshake {
  /** The first frame, from the side that speaks first. */
  begin(): Uint8Array | undefined;
  receive(body: Uint8Array): Step;
}

export class ClientHandshake implements Handshake {
  #state: 'challenge' | 'proof' = 'challenge';
  #serverNonce: Uint8Array = new Uint8Array(0);

  readonly #secret: string | undefined;
  readonly #nonce: Uint8Array;

  constructor(secret: string | undefined, nonce: Uint8Array) {
    this.#secret = secret;
    this.#nonce = nonce;
  }

  begin(): Uint8Array {
    return handshakeFrame(HELLO, MAGIC, version(), this.#nonce);
  }

  receive(body: Uint8Array): Step {
    if (body[0] === REFUSAL) return { state: 'refused', reason: Buffer.from(body.subarray(1)).toString('utf8') };
    return this.#state === 'challenge' ? this.#challenged(body) : this.#proven(body);
  }

  #challenged(body: Uint8Array): Step {
    if (body.length !== 4 + NONCE_BYTES || body[0] !== CHALLENGE) {
      return { state: 'refused', reason: 'the other side does not speak this protocol' };
    }
    const theirs = Buffer.from(body).readUInt16BE(1);
    if (theirs !== PROTOCOL_VERSION) {
      return { state: 'refused', reason: `the server speaks protocol ${theirs}, this side ${PROTOCOL_VERSION}` };
    }
    this.#serverNonce = Uint8Array.from(body.subarray(4));
    const wanted = body[3] === 1;
    if (!wanted && this.#secret !== undefined) {
      return { state: 'refused', reason: "the server has no secret, so it can't prove that it belongs to the cluster" };
    }
    if (!wanted) return { state: 'open' };
    this.#state = 'proof';
    // Without a secret the proof is empty, and the server says what it thinks of it.
    if (this.#secret === undefined) return { state: 'going', send: handshakeFrame(PROOF) };
    return {
      state: 'going',
      send: handshakeFrame(PROOF, prove(this.#secret, 'client', this.#nonce, this.#serverNonce)),
    };
  }

  #proven(body: Uint8Array): Step {
    const expected = prove(this.#secret ?? '', 'server', this.#nonce, this.#serverNonce);
    if (this.#secret !== undefined && body[0] === PROOF && same(body.subarray(1), expected)) return { state: 'open' };
    return { state: 'refused', reason: 'the server does not know the secret' };
  }
}

export class ServerHandshake implements Handshake {
  #state: 'hello' | 'proof' = 'hello';
  #clientNonce: Uint8Array = new Uint8Array(0);

  readonly #secret: string | undefined;
  readonly #nonce: Uint8Array;

  constructor(secret: string | undefined, nonce: Uint8Array) {
    this.#secret = secret;
    this.#nonce = nonce;
  }

  begin(): undefined {
    return undefined;
  }

  receive(body: Uint8Array): Step {
    return this.#state === 'hello' ? this.#greeted(body) : this.#proven(body);
  }

  #greeted(body: Uint8Array): Step {
    const expectedBytes = 1 + MAGIC.length + 2 + NONCE_BYTES;
    const magic = body.subarray(1, 1 + MAGIC.length);
    if (body.length !== expectedBytes || body[0] !== HELLO || !same(magic, MAGIC)) {
      return { state: 'refused', reason: 'no greeting of this protocol' };
    }
    const theirs = Buffer.from(body).readUInt16BE(1 + MAGIC.length);
    if (theirs !== PROTOCOL_VERSION) {
      return refusal(`the client speaks protocol ${theirs}, this server ${PROTOCOL_VERSION}`);
    }
    this.#clientNonce = Uint8Array.from(body.subarray(-NONCE_BYTES));
    const wanted = this.#secret !== undefined;
    const send = handshakeFrame(CHALLENGE, version(), Buffer.of(wanted ? 1 : 0), this.#nonce);
    if (!wanted) return { state: 'open', send };
    this.#state = 'proof';
    return { state: 'going', send };
  }

  #proven(body: Uint8Array): Step {
    if (this.#secret === undefined || body[0] !== PROOF) return refusal('no proof of the secret');
    if (body.length === 1) return refusal('this server wants the secret, and the client has none');
    const expected = prove(this.#secret, 'client', this.#clientNonce, this.#nonce);
    if (!same(body.subarray(1), expected)) return refusal("the client's secret is another one");
    const proof = prove(this.#secret, 'server', this.#clientNonce, this.#nonce);
    return { state: 'open', send: handshakeFrame(PROOF, proof) };
  }
}

/**
 * Whether an HTTP request's Authorization header holds the secret as the password of Basic authentication; the
 * user's name does not matter. Takes the same time whatever is wrong.
 */
export function basicAuthorized(header: string | undefined, secret: string): boolean {
  const encoded = /^basic +([A-Za-z0-9+/=]+) *$/i.exec(header ?? '')?.[1] ?? '';
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const password = colon < 0 ? '' : text.slice(colon + 1);
  // Digests have one length, so the comparison says nothing about the password's.
  const digest = (value: string) => createHmac('sha256', 'basic').update(value).digest();
  return timingSafeEqual(digest(password), digest(secret)) && colon >= 0;
}

/** A handshake's frame: u32 length of what follows, kind, parts. */
function handshakeFrame(kind: number, ...parts: Uint8Array[]): Uint8Array {
  const body = Buffer.concat([Buffer.of(kind), ...parts]);
  const frame = Buffer.alloc(4 + body.length);
  frame.writeUInt32BE(body.length, 0);
  body.copy(frame, 4);
  return frame;
}

function refusal(reason: string): Step {
  const words = Buffer.from(reason, 'utf8').subarray(0, MAXIMUM_HANDSHAKE_FRAME_BYTES - 1);
  return { state: 'refused', reason, send: handshakeFrame(REFUSAL, words) };
}

function version(): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(PROTOCOL_VERSION, 0);
  return bytes;
}

function prove(secret: string, role: 'client' | 'server', clientNonce: Uint8Array, serverNonce: Uint8Array): Buffer {
  const hmac = createHmac('sha256', secret);
  // All parts have fixed lengths, so no two sets of parts make the same text.
  return hmac
    .update(`nmrfs ${role}`)
    .update(version())
    .update(clientNonce)
    .update(serverNonce)
    .digest()
    .subarray(0, PROOF_BYTES);
}

function same(given: Uint8Array, expected: Uint8Array): boolean {
  return given.length === expected.length && timingSafeEqual(given, expected);
}
