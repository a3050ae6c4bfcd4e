// The id of the cluster that the rows belong to. It never changes.
import { Buffer } from 'node:buffer';
import { CLUSTER_KEY } from '../../namespace/state/keys.js';
import { ServiceError } from '../../protocol/errors.js';
import type { BaseStorage } from '../engine/storage.js';

/** null while there is none, or the rows can't be read. */
export function clusterIdIn(storage: Pick<BaseStorage, 'get' | 'isReadable'> | null): string | null {
  if (storage?.isReadable !== true) return null;
  try {
    const row = storage.get(CLUSTER_KEY);
    return row === undefined ? null : Buffer.from(row).toString('utf8');
  } catch (error) {
    // The row has rotted, and whoever can bring it anew is told.
    if (error instanceof ServiceError) return null;
    throw error;
  }
}
