// What a metaserver answers to people and scripts at POST /RPC2. Paths are
// UTF-8 text from the root of the file system; symbolic links are not followed.
import { FileError } from '../protocol/errors.js';
import { describeAttributes, nameFromText, nameToText, namingPath } from '../protocol/http/text.js';
import type { XmlRpcMethods, XmlRpcValue } from '../protocol/http/xml-rpc.js';
import { type Attributes, ROOT_INODE } from '../protocol/services/files.js';
import type { MetadataService } from '../protocol/services/metadata.js';
import { formatHash } from '../protocol/values/hash.js';

/** Entries and blocks of one answer are gathered so many at a time. */
const PAGE_ROWS = 4096;

/** get(path), list(path), status(), ping(). */
export function metaserverMethods(metadata: MetadataService): XmlRpcMethods {
  return {
    /** Attributes, and for a file `blocks`: [index, version, hash, length] each. */
    async get(...parameters: XmlRpcValue[]): Promise<XmlRpcValue> {
      const attributes = await resolve(metadata, onlyPath('get', parameters));
      const described = describeAttributes(attributes);
      if (attributes.kind === 'file') described.blocks = await blocksOf(metadata, attributes.inode);
      if (attributes.kind === 'symlink') {
        const { target } = await metadata.query({ name: 'readlink', request: { inode: attributes.inode } });
        described.target = nameToText(target);
      }
      return described;
    },

    /** Entries of a directory: name and attributes. */
    async list(...parameters: XmlRpcValue[]): Promise<XmlRpcValue> {
      const path = onlyPath('list', parameters);
      const { inode, kind } = await resolve(metadata, path);
      if (kind !== 'directory') throw new FileError('ENOTDIR', `${path} is a ${kind}`);
      const entries: XmlRpcValue[] = [];
      for (let cookie = 0; ; ) {
        const request = { inode, cookie, limit: PAGE_ROWS, attributes: true };
        const page = await metadata.query({ name: 'readdir', request });
        for (const entry of page.entries) {
          cookie = entry.cookie;
          if (entry.attributes !== undefined)
            entries.push({ name: nameToText(entry.name), ...describeAttributes(entry.attributes) });
        }
        if (page.done) return entries;
      }
    },

    async status(): Promise<XmlRpcValue> {
      const {
        start: _start,
        history: _history,
        ...statistics
      } = await metadata.query({ name: 'statistics', request: {} });
      const { servers } = await metadata.query({ name: 'servers', request: {} });
      return {
        ...statistics,
        servers: servers.map(({ name, storeId, state }) => ({ name, storeId, state })),
      };
    },

    async ping(): Promise<XmlRpcValue> {
      return true;
    },
  };
}

function onlyPath(method: string, parameters: readonly XmlRpcValue[]): string {
  const [path] = parameters;
  if (parameters.length !== 1 || typeof path !== 'string' || !path.startsWith('/')) {
    throw new FileError('EINVAL', `${method} takes one path that starts with /`);
  }
  return path;
}

async function resolve(metadata: MetadataService, path: string): Promise<Attributes> {
  let attributes = await metadata.query({ name: 'attributes', request: { inode: ROOT_INODE } });
  try {
    for (const part of path.split('/')) {
      if (part === '') continue;
      const name = nameFromText(part);
      attributes = await metadata.query({ name: 'lookup', request: { parent: attributes.inode, name } });
    }
  } catch (error) {
    throw namingPath(error, path);
  }
  return attributes;
}

/** By the walk over all block maps, which steps over holes however wide they are. */
async function blocksOf(metadata: MetadataService, inode: number): Promise<XmlRpcValue[]> {
  const blocks: XmlRpcValue[] = [];
  for (let after = { inode: inode - 1, index: Number.MAX_SAFE_INTEGER }; ; ) {
    const page = await metadata.query({ name: 'allBlocks', request: { after, limit: PAGE_ROWS } });
    for (const block of page.blocks) {
      if (block.inode !== inode) return blocks;
      blocks.push([block.index, block.version, formatHash(block.hash), block.length]);
      after = { inode, index: block.index };
    }
    if (page.done) return blocks;
  }
}
