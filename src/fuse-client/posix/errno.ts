// POSIX error names as the numbers that Linux uses for them, for both bindings.
// Every error that is no FileError becomes EIO, or EINTR when the caller gave up:
// a failure never looks like a success.
import { FileError, type FileErrorCode, ServiceError } from '../../protocol/errors.js';
import { stackOf } from '../../runtime/caught-errors.js';

/** From asm-generic/errno-base.h and errno.h; the same on every Linux that Node runs on (x86-64, arm64). */
export const ERROR_NUMBERS: Readonly<Record<FileErrorCode, number>> = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  EDEADLK: 35,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  ENOTSUP: 95,
  ESTALE: 116,
};

/** The code that a program sees for `error`. `expected` is false when it is worth a log line. */
export function fileErrorCodeOf(error: unknown): { code: FileErrorCode; expected: boolean } {
  if (error instanceof FileError) return { code: error.code, expected: error.code !== 'EIO' };
  if (error instanceof ServiceError && error.code === 'CANCELLED') return { code: 'EINTR', expected: true };
  return { code: 'EIO', expected: false };
}

/** For a log line: expected errors by their message, a program's fault with its stack. */
export function describeFailure(error: unknown): string {
  if (error instanceof FileError || error instanceof ServiceError) return error.message;
  return stackOf(error);
}
