// What is said of a file of a server's store that can't be used.
import { ServiceError } from '../../protocol/errors.js';

/** @param what is wrong with it */
export function damaged(path: string, what: string, cause?: unknown): ServiceError {
  const advice = "remove the server's folder, and it gets all from the others";
  const error = new ServiceError('FAILED', `${path} is damaged: ${what}; ${advice}`);
  error.cause = cause;
  return error;
}
