// TritonTransfer's methods of XML-RPC. The version of a file is its time of modification, in seconds.
import type { XmlRpcMethods, XmlRpcValue } from '../../protocol/http/xml-rpc.js';
import { type Blocks, checkHash } from '../blocks/blocks.js';
import type { Catalog } from '../catalog.js';
import { CatalogError, type CatalogErrorCode } from '../map/errors.js';
import { decodeHashes, encodeHashes, hashesOf, isDeleted, pathOfFile } from './file-names.js';

const STATUS_ERRORS: ReadonlySet<CatalogErrorCode> = new Set(['BAD_REQUEST', 'BAD_PATH', 'TOO_LARGE', 'UNAVAILABLE']);

export function tritonMethods(catalog: Catalog, blocks: Blocks): XmlRpcMethods {
  return withStatus({
    /** {filename, version, blocks, status}: status is OK, or ERROR for a file that is not there. */
    async getFile(name) {
      const path = pathOfFile(name);
      try {
        const { bytes, version } = await catalog.get(path);
        const hashes = decodeHashes(bytes);
        if (isDeleted(hashes)) return absent(name, version);
        return { filename: name ?? '', version, blocks: hashes, status: 'OK' };
      } catch (error) {
        if (error instanceof CatalogError && error.code === 'NOT_FOUND') return absent(name, 0);
        throw error;
      }
    },

    /** {status, blocks}: OK, FILE_ALREADY_EXISTS, or MISSING_BLOCKS with those that must be stored first. */
    async storeFile(file) {
      const { filename, version, blocks: given } = fileOf(file);
      if (given === undefined)
        throw new CatalogError('BAD_REQUEST', 'blocks is missing: the list of the hashes of the file');
      const missing: XmlRpcValue[] = [];
      for (const hash of hashesOf(given)) if (!(await blocks.has(checkHash(hash)))) missing.push(hash);
      if (missing.length > 0) return { status: 'MISSING_BLOCKS', blocks: missing };
      return store(catalog, filename, version, encodeHashes(hashesOf(given)));
    },

    /** {status, blocks}: its version must be greater than that of the file. */
    async deleteFile(file) {
      const { filename, version } = fileOf(file);
      return store(catalog, filename, version, encodeHashes([0]));
    },
  });
}

/** What a request lacks is told by the status, as everything else. */
function withStatus(methods: XmlRpcMethods): XmlRpcMethods {
  const told = Object.entries(methods).map(([name, method]) => {
    const answering = async (request: XmlRpcValue): Promise<XmlRpcValue> => {
      try {
        return await method(request);
      } catch (error) {
        if (error instanceof CatalogError && STATUS_ERRORS.has(error.code)) return failure(error.message);
        throw error;
      }
    };
    return [name, answering] as const;
  });
  return Object.fromEntries(told);
}

async function store(
  catalog: Catalog,
  filename: XmlRpcValue | undefined,
  version: number,
  value: Uint8Array,
): Promise<XmlRpcValue> {
  try {
    await catalog.change({ kind: 'put', path: pathOfFile(filename), value, version });
    return { status: 'OK', blocks: [] };
  } catch (error) {
    if (error instanceof CatalogError && error.code === 'VERSION') return { status: 'FILE_ALREADY_EXISTS', blocks: [] };
    throw error;
  }
}

function failure(message: string): XmlRpcValue {
  return { status: 'ERROR', blocks: [], message };
}

function absent(name: XmlRpcValue | undefined, version: number): XmlRpcValue {
  return { filename: name ?? '', version, blocks: [], status: 'ERROR' };
}

function fileOf(file: XmlRpcValue | undefined) {
  if (typeof file !== 'object' || file === null || Array.isArray(file)) {
    throw new CatalogError('BAD_REQUEST', 'a file is a struct of filename, version and blocks');
  }
  const { filename, version, blocks } = file as { [key: string]: XmlRpcValue };
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1) {
    throw new CatalogError('BAD_REQUEST', 'a version is a number of seconds');
  }
  return { filename, version, blocks };
}
