// The mediator's XML-RPC face, for any client: whole files by path under keys
// of the form PATH&&data, PATH&&meta and PATH&&list_nodes, and the test hooks.
import { Buffer } from 'node:buffer';
import { FileError } from '../../protocol/errors.js';
import { describeAttributes, nameToText, namingPath, toDate } from '../../protocol/http/text.js';
import { XmlRpcFault, type XmlRpcMethods, type XmlRpcValue } from '../../protocol/http/xml-rpc.js';
import type { AdminService } from '../../protocol/services/admin.js';
import type { FileService } from '../../protocol/services/files.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import { formatHash } from '../../protocol/values/hash.js';
import { copyOf } from '../../protocol/values/pieces.js';
import type { Clock } from '../../runtime/clock.js';
import { resolveNames, resolvePath, splitPath } from './paths.js';

const CALLER = { uid: 0, gid: 0 };
const LIST_LIMIT = 1000;
/** Files that one XML-RPC reply carries: as base64 they are in memory several times. */
const MAXIMUM_WHOLE_BYTES = 16 * 1024 * 1024;
/** The fault code for bad arguments. Other errors keep the code of the service. */
const BAD_ARGUMENT = 400;

export function mediatorXmlRpc(
  files: FileService,
  admin: AdminService,
  metadata: MetadataService,
  clock: Clock,
): XmlRpcMethods {
  async function putData(path: string, value: Uint8Array): Promise<void> {
    const names = splitPath(path);
    const name = names.pop();
    if (name === undefined) throw new FileError('EISDIR', `${path} is a directory`);
    const { inode: parent } = await resolveNames(metadata, names, path);
    const request = { parent, name, mode: 0o644, exclusive: false, forWriting: true, caller: CALLER };
    const { attributes } = await files.create(request).catch((error: unknown) => {
      throw namingPath(error, path);
    });
    if (attributes.kind !== 'file') throw new FileError('EISDIR', `${path} is a ${attributes.kind}`);
    await files.write({
      inode: attributes.inode,
      extents: value.length === 0 ? [] : [{ offset: 0, data: value }],
      truncateTo: 0,
      modifyTimeNs: clock.nowNs(),
    });
  }

  async function putMeta(path: string, value: XmlRpcValue | undefined): Promise<void> {
    const { inode } = await resolvePath(metadata, path);
    if (
      value === null ||
      typeof value !== 'object' ||
      Array.isArray(value) ||
      value instanceof Date ||
      value instanceof Uint8Array
    ) {
      throw new XmlRpcFault(BAD_ARGUMENT, 'put PATH&&meta takes a struct with any of mode, uid and gid');
    }
    const changes: { mode?: number; uid?: number; gid?: number } = {};
    for (const [key, member] of Object.entries(value)) {
      if ((key !== 'mode' && key !== 'uid' && key !== 'gid') || typeof member !== 'number') {
        throw new XmlRpcFault(BAD_ARGUMENT, `put PATH&&meta: ${key} is not one of mode, uid and gid, or not a number`);
      }
      changes[key] = member;
    }
    await files.setattr({ inode, changes, caller: CALLER });
  }

  return {
    async put(key, value) {
      const { path, what } = splitKey(key);
      if (what === 'data') await putData(path, bytes(value));
      else if (what === 'meta') await putMeta(path, value);
      else throw new XmlRpcFault(BAD_ARGUMENT, 'a list of nodes follows from the files: put PATH&&data makes them');
      return true;
    },
    async get(key) {
      const { path, what } = splitKey(key);
      const attributes = await resolvePath(metadata, path);
      if (what === 'meta') return describeAttributes(attributes);
      if (what === 'list_nodes') {
        if (attributes.kind !== 'directory') throw new FileError('ENOTDIR', `${path} is a ${attributes.kind}`);
        return listNodes(files, attributes.inode);
      }
      if (attributes.kind !== 'file') throw new FileError('EISDIR', `${path} is a ${attributes.kind}`);
      if (attributes.sizeBytes > MAXIMUM_WHOLE_BYTES) {
        throw new FileError(
          'EFBIG',
          `${path} has ${attributes.sizeBytes} bytes, XML-RPC carries ${MAXIMUM_WHOLE_BYTES}`,
        );
      }
      const { pieces } = await files.read({ inode: attributes.inode, offset: 0, length: attributes.sizeBytes });
      return copyOf(pieces);
    },
    async list_contents(server) {
      const name = text(server);
      const rows: XmlRpcValue[] = [];
      let after: { inode: number; index: number; version: number } | undefined;
      do {
        const request = { server: name, limit: LIST_LIMIT };
        const page = await admin.listContents(after === undefined ? request : { ...request, after });
        for (const entry of page.entries) {
          const key = entry.path === null ? `${entry.inode}/${entry.index}` : `${entry.path}&&data/${entry.index}`;
          rows.push([key, entry.version, entry.length, formatHash(entry.hash), toDate(entry.modifiedNs)]);
        }
        after = page.next;
      } while (after !== undefined);
      return rows;
    },
    async corrupt(path, server, replacement) {
      const request = { path: text(path), server: text(server) };
      return (await admin.corrupt(replacement === undefined ? request : { ...request, text: text(replacement) }))
        .blocks;
    },
    async terminate(server) {
      await admin.terminate({ server: text(server) });
      return true;
    },
    async restart(server, blank) {
      await admin.restart({ server: text(server), blank: blank === true });
      return true;
    },
    async locate(path) {
      const { blocks } = await admin.locate({ path: text(path) });
      return blocks.map(({ index, version, servers }) => ({ index, version, servers }));
    },
    async status() {
      return toXmlRpc(await admin.status({}));
    },
    async scrub(path) {
      return toXmlRpc(await admin.scrub(path === undefined ? {} : { path: text(path) }));
    },
  };
}

async function listNodes(files: FileService, inode: number): Promise<XmlRpcValue> {
  const names: string[] = [];
  for (let cookie = 0; ; ) {
    const page = await files.readdir({ inode, cookie, limit: LIST_LIMIT, attributes: false });
    names.push(...page.entries.map(({ name }) => nameToText(name)));
    const last = page.entries.at(-1);
    if (page.done || last === undefined) return names;
    cookie = last.cookie;
  }
}

/** Plain results as XML-RPC values; bigints become hexadecimal text. */
export function toXmlRpc(value: unknown): XmlRpcValue {
  if (typeof value === 'bigint') return formatHash(value);
  if (Array.isArray(value)) return value.map(toXmlRpc);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, toXmlRpc(member)]));
  }
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  return null;
}

function splitKey(key: XmlRpcValue | undefined): { path: string; what: 'data' | 'meta' | 'list_nodes' } {
  const whole = text(key);
  const at = whole.lastIndexOf('&&');
  const what = whole.slice(at + 2);
  if (at < 0 || (what !== 'data' && what !== 'meta' && what !== 'list_nodes')) {
    throw new XmlRpcFault(BAD_ARGUMENT, `${whole}: a key is PATH&&data, PATH&&meta or PATH&&list_nodes`);
  }
  return { path: whole.slice(0, at), what };
}

/** Text, or bytes that are UTF-8. */
function text(value: XmlRpcValue | undefined): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  throw new XmlRpcFault(BAD_ARGUMENT, 'text (or base64 of it) is missing');
}

function bytes(value: XmlRpcValue | undefined): Uint8Array {
  if (value instanceof Uint8Array) return value;
  return Buffer.from(text(value), 'utf8');
}
