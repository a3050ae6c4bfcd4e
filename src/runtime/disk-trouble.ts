// What keeps a disk from taking what is written to it, by the error that it answered.
import { codeOf } from './caught-errors.js';

/**
 * - full: no room, or none within the quota
 * - read-only: mounted so, or turned so by the system after errors
 * - failing: any other error
 */
export type DiskTrouble = 'full' | 'read-only' | 'failing';

export function diskTrouble(error: unknown): DiskTrouble {
  switch (codeOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'full';
    case 'EROFS':
      return 'read-only';
    default:
      return 'failing';
  }
}
