// XML-RPC on top of the package of that name: answering calls at our own HTTP
// port, and making them for the tools.
import { Buffer } from 'node:buffer';
import { Readable } from 'node:stream';
import Client from 'xmlrpc/lib/client.js';
import Deserializer from 'xmlrpc/lib/deserializer.js';
import serializer from 'xmlrpc/lib/serializer.js';
import { messageOf, stackOf } from '../../runtime/caught-errors.js';
import { isProgramFault } from '../../runtime/faults.js';
import type { Log } from '../../runtime/log.js';
import { ServiceError, wasUnanswered } from '../errors.js';
import { fromPackage, toPackage, type XmlRpcValue } from './xml-rpc-values.js';

export type { XmlRpcValue } from './xml-rpc-values.js';

/** Methods by their full names. What they throw becomes a fault. */
export type XmlRpcMethods = Record<string, (...parameters: XmlRpcValue[]) => Promise<XmlRpcValue>>;

/** A fault with a code of the method's own choice. */
export class XmlRpcFault extends Error {
  override readonly name = 'XmlRpcFault';
  constructor(
    readonly faultCode: number,
    message: string,
  ) {
    super(message);
  }
}

/** Codes that implementations of XML-RPC have agreed on; FAILED is for all that a method itself fails with. */
export const FAULT_CODES = {
  NOT_XML: -32700,
  UNKNOWN_METHOD: -32601,
  BAD_PARAMETERS: -32602,
  FAILED: -32500,
  UNREACHABLE: -32300,
} as const;

/** The XML that answers a call: a response or a fault. Never rejects; a program's fault in a method is logged with its stack. */
export async function answerXmlRpc(methods: XmlRpcMethods, body: Uint8Array, log: Log): Promise<string> {
  try {
    const { name, parameters } = await parseCall(body);
    // Only the table's own members: no call reaches what all objects inherit.
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    if (method === undefined) throw new XmlRpcFault(FAULT_CODES.UNKNOWN_METHOD, `there is no method ${name}`);
    return serializer.serializeMethodResponse(toPackage(await method(...parameters)));
  } catch (error) {
    if (isProgramFault(error)) log.error('request.failed', { method: 'XML-RPC', stack: stackOf(error) });
    return serializer.serializeFault({ faultCode: faultCode(error), faultString: toPackage(messageOf(error)) });
  }
}

/**
 * Calls a method at http://ADDRESS/RPC2 and answers its value. Throws XmlRpcFault when the other side answers one;
 * ServiceError UNREACHABLE, OUTCOME_UNKNOWN, DEADLINE, REFUSED (the secret is missing or wrong) or MALFORMED (no XML-RPC came back).
 */
export async function callXmlRpc(
  address: string,
  method: string,
  parameters: XmlRpcValue[],
  { secret, deadlineMs = 30_000 }: { secret?: string; deadlineMs?: number } = {},
): Promise<XmlRpcValue> {
  const colon = address.lastIndexOf(':');
  const signal = AbortSignal.timeout(deadlineMs);
  const client = new Client(
    {
      host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'),
      port: Number(address.slice(colon + 1)),
      path: '/RPC2',
      signal,
      headers: { Connection: 'close' },
      ...(secret === undefined ? {} : { basic_auth: { user: 'nmrfs', pass: secret } }),
    },
    false,
  );
  const value = await new Promise<unknown>((resolve, reject) => {
    client.methodCall(
      method,
      parameters.map((parameter) => toPackage(parameter)),
      (error, result) => {
        if (error === null || error === undefined) resolve(result);
        else reject(callError(error, `${method} at ${address}`, signal.aborted));
      },
    );
  });
  return fromPackage(value);
}

type ClientError = Parameters<Parameters<Client['methodCall']>[2]>[0] & object;

function callError(error: ClientError, call: string, late: boolean): Error {
  if (typeof error.faultCode === 'number') {
    const { faultString } = error;
    // Words that XML can't hold come as bytes.
    const words = faultString instanceof Uint8Array ? Buffer.from(faultString).toString('utf8') : String(faultString);
    return new XmlRpcFault(error.faultCode, words);
  }
  if (late) return new ServiceError('DEADLINE', `${call}: no answer in time`);
  const status = error.res?.statusCode;
  if (status === 401) return new ServiceError('REFUSED', `${call}: the secret is missing or wrong`);
  if (status !== undefined) return new ServiceError('MALFORMED', `${call}: HTTP status ${status}, ${error.message}`);
  // Of a host with several addresses, Node tells of all that it has tried in one error without words.
  const { syscall, message }: ClientError = error instanceof AggregateError ? (error.errors[0] ?? error) : error;
  const wasSent = syscall !== 'connect' && syscall !== 'getaddrinfo';
  return new ServiceError(wasSent ? 'OUTCOME_UNKNOWN' : 'UNREACHABLE', `${call}: ${message}`);
}

/** The package takes 1.5 for the integer 1, and whatever a document declares of itself for nothing. */
class StrictDeserializer extends Deserializer {
  constructor() {
    super();
    this.parser.on('doctype', () => this.onError('a document type has no place in a call'));
  }

  protected override endInt(text: string): void {
    const value = Number(text);
    const isInteger = /^\s*[-+]?\d+\s*$/.test(text) && (value | 0) === value;
    if (!isInteger) throw new Error(`${text} is no integer of 32 bits`);
    super.endInt(text);
  }
}

function parseCall(body: Uint8Array): Promise<{ name: string; parameters: XmlRpcValue[] }> {
  return new Promise((resolve, reject) => {
    const stream = Readable.from([body], { objectMode: false });
    new StrictDeserializer().deserializeMethodCall(stream, (error, name, parameters) => {
      if (error !== null && error !== undefined) {
        reject(new XmlRpcFault(FAULT_CODES.NOT_XML, `not understood: ${error.message}`));
        return;
      }
      try {
        resolve({ name, parameters: parameters.map((parameter) => fromPackage(parameter)) });
      } catch (refused) {
        reject(new XmlRpcFault(FAULT_CODES.BAD_PARAMETERS, messageOf(refused)));
      }
    });
  });
}

function faultCode(error: unknown): number {
  if (error instanceof XmlRpcFault) return error.faultCode;
  // A server behind this one was not there for the call.
  return error instanceof ServiceError && wasUnanswered(error) ? FAULT_CODES.UNREACHABLE : FAULT_CODES.FAILED;
}
