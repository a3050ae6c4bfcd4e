// What a data server answers to people and scripts at POST /RPC2. A key is
// text, "inode/index" for the newest version here or "inode/index/version";
// text may come as a string or as base64.
import { Buffer } from 'node:buffer';
import { malformed, ServiceError } from '../protocol/errors.js';
import type { XmlRpcMethods, XmlRpcValue } from '../protocol/http/xml-rpc.js';
import type { BlockKey, BlockService, HookService } from '../protocol/services/blocks.js';
import { formatHash } from '../protocol/values/hash.js';
import { checkKey } from './checks.js';
import { MAXIMUM_BLOCK_BYTES, MAXIMUM_LIST_ENTRIES } from './limits.js';
import type { Store } from './store.js';

type Parameters = readonly XmlRpcValue[];

/** XmlRpcMethods by their names. */
export type DataserverMethods = Record<
  'put' | 'get' | 'list_contents' | 'corrupt' | 'terminate' | 'restart' | 'ping',
  XmlRpcMethods[string]
>;

/** put(key, value), get(key), list_contents(), corrupt(key[, text]), terminate(), restart([blank]), ping(). */
export function dataserverMethods(store: Store, blocks: BlockService, hooks: HookService): DataserverMethods {
  return {
    /** Stores a whole block under "inode/index/version", durably. */
    async put(...parameters: XmlRpcValue[]): Promise<XmlRpcValue> {
      checkCount('put', parameters, 2, 2);
      const { inode, index, version } = parseKey(parameters[0]);
      if (version === undefined) throw malformed('put takes a key with a version: "inode/index/version"');
      const item = { ...checkKey({ inode, index, version }), data: bytesOf('value', parameters[1]) };
      const { results } = await blocks.put({ items: [item], durable: true });
      const state = results[0]?.state;
      if (state !== 'stored') throw new ServiceError('FAILED', `not stored: ${state}`);
      return true;
    },

    /** The bytes as they are stored here, right or wrong: a single replica can't tell. */
    async get(...parameters: XmlRpcValue[]): Promise<XmlRpcValue> {
      checkCount('get', parameters, 1, 1);
      const key = resolveKey(store, parameters[0]);
      const { results } = await blocks.get({ items: [{ ...key, offset: 0, length: MAXIMUM_BLOCK_BYTES, data: true }] });
      const [result] = results;
      if (result?.state !== 'present') {
        throw new ServiceError('FAILED', `block ${nameOf(key)} is ${result?.state ?? 'absent'} here`);
      }
      return result.data ?? Buffer.alloc(0);
    },

    /** [key, version, length, hash, modified] of every version, in the order of inode, index and version. */
    async list_contents(...parameters: XmlRpcValue[]): Promise<XmlRpcValue> {
      checkCount('list_contents', parameters, 0, 0);
      const contents: XmlRpcValue[] = [];
      let after: BlockKey | undefined;
      do {
        const page = await blocks.list({ limit: MAXIMUM_LIST_ENTRIES, ...(after === undefined ? {} : { after }) });
        for (const { inode, index, version, length, hash, modifiedNs } of page.entries) {
          contents.push([
            `${inode}/${index}`,
            version,
            length,
            formatHash(hash),
            new Date(Number(modifiedNs / 1_000_000n)),
          ]);
        }
        after = page.next;
      } while (after !== undefined);
      return contents;
    },

    async corrupt(...parameters: XmlRpcValue[]): Promise<XmlRpcValue> {
      checkCount('corrupt', parameters, 1, 2);
      const [key, text] = parameters;
      const request = resolveKey(store, key);
      await hooks.corrupt(text === undefined ? request : { ...request, text: textOf('text', text) });
      return true;
    },

    async terminate(...parameters: XmlRpcValue[]): Promise<XmlRpcValue> {
      checkCount('terminate', parameters, 0, 0);
      await hooks.terminate({});
      return true;
    },

    async restart(...parameters: XmlRpcValue[]): Promise<XmlRpcValue> {
      checkCount('restart', parameters, 0, 1);
      const [blank = false] = parameters;
      if (typeof blank !== 'boolean') throw malformed('blank must be true or false');
      await hooks.restart({ blank });
      return true;
    },

    async ping(): Promise<XmlRpcValue> {
      return true;
    },
  };
}

function checkCount(method: string, parameters: Parameters, least: number, most: number): void {
  if (parameters.length >= least && parameters.length <= most) return;
  throw malformed(
    `${method} takes ${least === most ? least : `${least} or ${most}`} parameters, not ${parameters.length}`,
  );
}

function parseKey(value: XmlRpcValue | undefined): { inode: number; index: number; version: number | undefined } {
  const text = textOf('key', value);
  const match = /^(\d{1,16})\/(\d{1,16})(?:\/(\d{1,16}))?$/.exec(text);
  if (match === null)
    throw malformed(`a key is "inode/index" or "inode/index/version", not ${JSON.stringify(text.slice(0, 100))}`);
  return {
    inode: Number(match[1]),
    index: Number(match[2]),
    version: match[3] === undefined ? undefined : Number(match[3]),
  };
}

/** The key, with the newest version that is here when it has none. */
function resolveKey(store: Store, value: XmlRpcValue | undefined): BlockKey {
  const { inode, index, version } = parseKey(value);
  // The store takes checked numbers only.
  checkKey({ inode, index, version: version ?? 1 });
  const resolved = version ?? store.newestVersion(inode, index);
  if (resolved === undefined) throw new ServiceError('FAILED', `no version of block ${inode}/${index} is here`);
  return { inode, index, version: resolved };
}

function nameOf({ inode, index, version }: BlockKey): string {
  return `${inode}/${index}/${version}`;
}

function textOf(name: string, value: XmlRpcValue | undefined): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  throw malformed(`${name} must be a text or base64`);
}

function bytesOf(name: string, value: XmlRpcValue | undefined): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value, 'utf8');
  if (value instanceof Uint8Array) return value;
  throw malformed(`${name} must be base64 or a text`);
}
