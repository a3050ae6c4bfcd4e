// The limits of protocol/services/files.ts, checked before a request leaves the mount or is buffered.
import { FileError } from '../../protocol/errors.js';
import { type FileName, MAXIMUM_FILE_BYTES, MAXIMUM_NAME_BYTES } from '../../protocol/services/files.js';

export function checkEnd(endBytes: number): void {
  if (endBytes > MAXIMUM_FILE_BYTES) throw new FileError('EFBIG', `files end at ${MAXIMUM_FILE_BYTES} bytes`);
}

export function checkName(name: FileName): void {
  if (name.length > MAXIMUM_NAME_BYTES) {
    throw new FileError('ENAMETOOLONG', `${name.length} bytes; names have up to ${MAXIMUM_NAME_BYTES}`);
  }
}
