// The row of the metaservers that were added while the group ran. The group
// itself spreads it, so that all of them know where a new one is.
import { Buffer } from 'node:buffer';
import type { ServerPlace } from '../../protocol/services/group.js';

export function encodeMetaservers(servers: readonly ServerPlace[]): Uint8Array {
  return Buffer.from(JSON.stringify(servers.map(({ name, address }) => ({ name, address }))), 'utf8');
}

/** @param row undefined while none was added */
export function decodeMetaservers(row: Uint8Array | undefined): ServerPlace[] {
  return row === undefined ? [] : (JSON.parse(Buffer.from(row).toString('utf8')) as ServerPlace[]);
}
