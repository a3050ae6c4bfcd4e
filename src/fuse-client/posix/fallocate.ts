// The modes of fallocate(2). Those that move or share content are refused, never done by half.
import { FileError } from '../../protocol/errors.js';
import { MAXIMUM_FILE_BYTES } from '../../protocol/services/files.js';
import { checkEnd } from './limits.js';

/** linux/falloc.h. */
export const FallocateMode = { KEEP_SIZE: 1, PUNCH_HOLE: 2, ZERO_RANGE: 16 } as const;

/** PUNCH_HOLE needs KEEP_SIZE; fallocate(2). */
const MODES: ReadonlySet<number> = new Set([
  0,
  FallocateMode.KEEP_SIZE,
  FallocateMode.PUNCH_HOLE | FallocateMode.KEEP_SIZE,
  FallocateMode.ZERO_RANGE,
  FallocateMode.ZERO_RANGE | FallocateMode.KEEP_SIZE,
]);

export interface FallocateRequest {
  range: { offset: number; length: number };
  /** The range reads as zeros afterwards; otherwise its content stays. */
  zeros: boolean;
  /** The size stays, also when the range ends behind the end of the file. */
  keepsSize: boolean;
}

/** Fails with ENOTSUP, EINVAL for a range of no bytes, EFBIG for one that would make the file too large. */
export function fallocateRequest(offset: number, length: number, mode: number): FallocateRequest {
  if (!MODES.has(mode)) throw new FileError('ENOTSUP', `fallocate with mode ${mode}`);
  if (length <= 0) throw new FileError('EINVAL', 'a range of no bytes');
  const zeros = (mode & (FallocateMode.PUNCH_HOLE | FallocateMode.ZERO_RANGE)) !== 0;
  const keepsSize = (mode & FallocateMode.KEEP_SIZE) !== 0;
  if (!(zeros && keepsSize)) checkEnd(offset + length);
  // No file has bytes behind that.
  const end = Math.min(offset + length, MAXIMUM_FILE_BYTES);
  const start = Math.min(offset, end);
  return { range: { offset: start, length: end - start }, zeros, keepsSize };
}
