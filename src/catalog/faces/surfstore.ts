// SurfStore's methods of XML-RPC: blocks, file information, and what its testers ask.
import { Buffer } from 'node:buffer';
import type { XmlRpcMethods, XmlRpcValue } from '../../protocol/http/xml-rpc.js';
import { type Blocks, checkHash } from '../blocks/blocks.js';
import type { Catalog } from '../catalog.js';
import { CatalogError } from '../map/errors.js';
import { checkPath } from '../map/paths.js';
import { decodeHashes, encodeHashes, FILES, fileOfName, hashesOf, pathOfFile } from './file-names.js';

export interface SurfStoreParts {
  catalog: Catalog;
  blocks: Blocks;
  /** Whether a server may be told to act as if it had crashed. */
  testHooks: boolean;
}

export function surfStoreMethods({ catalog, blocks, testHooks }: SurfStoreParts): XmlRpcMethods {
  const hook = (action: () => Promise<void>) => async (): Promise<XmlRpcValue> => {
    if (!testHooks) throw new CatalogError('BAD_REQUEST', 'the configuration does not say testHooks: true');
    await action();
    return true;
  };
  const isLeader = async () => catalog.isLeader;
  const isCrashed = async () => catalog.isCrashed;
  return {
    async ping() {
      return true;
    },

    async getblock(hash) {
      const bytes = await blocks.get(checkHash(hash));
      if (bytes === undefined) throw new CatalogError('NOT_FOUND', `there is no block ${String(hash)}`);
      return bytes;
    },

    async putblock(block) {
      await blocks.put(bytesOf(block));
      return true;
    },

    /** Those of the hashes whose blocks are there. */
    async hasblocks(hashes) {
      const present: XmlRpcValue[] = [];
      for (const hash of hashesOf(hashes)) if (await blocks.has(checkHash(hash))) present.push(hash);
      return present;
    },

    /** name → [version, [hashes]] */
    async getfileinfomap() {
      const files = await catalog.below(FILES);
      return Object.fromEntries(
        files.map(([part, { bytes, version }]) => [fileOfName(part), [version, decodeHashes(bytes)]]),
      );
    },

    /** false when the version is not exactly one more than the one that is there. */
    async updatefile(name, version, hashes) {
      if (typeof version !== 'number' || !Number.isSafeInteger(version)) {
        throw new CatalogError('BAD_REQUEST', 'a version is a whole number');
      }
      const value = encodeHashes(hashesOf(hashes));
      try {
        const command = { kind: 'put', path: pathOfFile(name), value, version, expected: version - 1 } as const;
        await catalog.change(command);
        return true;
      } catch (error) {
        if (error instanceof CatalogError && error.code === 'VERSION') return false;
        throw error;
      }
    },

    isLeader,
    isleader: isLeader,
    isCrashed,
    iscrashed: isCrashed,
    crash: hook(() => catalog.crash()),
    restore: hook(() => catalog.restore()),

    /** Of a path of the map, as tester_getversion. */
    async version_here(path) {
      return catalog.versionHere(checkPath(path));
    },

    /** As it is applied here, also while this server is crashed. */
    async tester_getversion(name) {
      return catalog.versionHere(pathOfFile(name));
    },
  };
}

function bytesOf(block: XmlRpcValue | undefined): Uint8Array {
  if (block instanceof Uint8Array) return block;
  if (typeof block === 'string') return Buffer.from(block, 'utf8');
  throw new CatalogError('BAD_REQUEST', 'a block is base64');
}
