// Errors that cross a process border: each carries a stable code that the
// receiver can act on, and one sentence for a person.

/** POSIX error names that file operations answer with; the mount turns them into numbers. */
export type FileErrorCode =
  | 'E2BIG'
  | 'EACCES'
  | 'EAGAIN'
  | 'EDEADLK'
  | 'EBADF'
  | 'EBUSY'
  | 'EEXIST'
  | 'EFBIG'
  | 'EINTR'
  | 'EINVAL'
  | 'EIO'
  | 'EISDIR'
  | 'ELOOP'
  | 'EMLINK'
  | 'ENAMETOOLONG'
  | 'ENODATA'
  | 'ENODEV'
  | 'ENOENT'
  | 'ENOSPC'
  | 'ENOSYS'
  | 'ENOTDIR'
  | 'ENOTEMPTY'
  | 'ENOTSUP'
  | 'ENXIO'
  | 'EPERM'
  | 'ERANGE'
  | 'EROFS'
  | 'ESTALE'
  | 'ETXTBSY'
  | 'EXDEV';

/**
 * A file operation that failed the POSIX way. It has no stack: most are the answer to a question, and finding out where they
 * were made took longer than everything else about them.
 */
export class FileError extends Error {
  override readonly name = 'FileError';
  readonly code: FileErrorCode;

  constructor(code: FileErrorCode, message: string) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(`${code}: ${message}`);
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
  }
}

/**
 * What went wrong between two servers.
 * - UNREACHABLE: there is no connection; the request was not sent
 * - OUTCOME_UNKNOWN: it was sent, and may be carried out, now or later, or not
 * - NOT_LEADER: another server of the group answers such requests, or none does just now; nothing was done
 * - CLOSING: the other side is being stopped in order; nothing was done
 * - FENCED: another mediator has taken over from this one, whose calls are refused from now on; nothing was done
 * - DEADLINE: no reply in time; the outcome is unknown as well
 * - CANCELLED: the caller gave up
 * - MALFORMED: the message can't be understood or breaks a limit
 * - UNKNOWN_METHOD: the other side has no such method
 * - REFUSED: understood and not allowed (test hooks off, wrong cluster, wrong secret)
 * - NO_SESSION: the caller's session is over, or it has begun none: it must begin one, and may ask again then
 * - FAILED: the other side tried and failed; the message says how
 */
export type ServiceErrorCode =
  | 'UNREACHABLE'
  | 'OUTCOME_UNKNOWN'
  | 'NOT_LEADER'
  | 'CLOSING'
  | 'FENCED'
  | 'DEADLINE'
  | 'CANCELLED'
  | 'MALFORMED'
  | 'UNKNOWN_METHOD'
  | 'REFUSED'
  | 'NO_SESSION'
  | 'FAILED';

export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  constructor(
    readonly code: ServiceErrorCode,
    message: string,
    /** NOT_LEADER: the name of the server that leads, where that is known. */
    readonly leader?: string,
  ) {
    super(message);
  }
}

const WITHOUT_EFFECT: ReadonlySet<ServiceErrorCode> = new Set(['UNREACHABLE', 'NOT_LEADER', 'CLOSING']);

/** Whether the request has changed nothing, and may be made once more elsewhere or later. */
export function wasWithoutEffect(error: ServiceError): boolean {
  return WITHOUT_EFFECT.has(error.code);
}

const UNANSWERED: ReadonlySet<ServiceErrorCode> = new Set([...WITHOUT_EFFECT, 'FENCED', 'OUTCOME_UNKNOWN', 'DEADLINE']);

/** Whether no server has answered the request: none that could was there, or its reply did not come. It says nothing about the request. */
export function wasUnanswered(error: ServiceError): boolean {
  return UNANSWERED.has(error.code);
}

/** What was sent can't be understood, or breaks a limit; `what` says which part of it. */
export function malformed(what: string): ServiceError {
  return new ServiceError('MALFORMED', what);
}

/**
 * For the first call to a server: one that does not know the method is of another kind. Any other error stays as it is.
 * @param kind what was expected, as "data server"
 */
export function asWrongServer(error: unknown, kind: string, address: string): unknown {
  const isOfAnotherKind = error instanceof ServiceError && error.code === 'UNKNOWN_METHOD';
  return isOfAnotherKind ? new ServiceError('REFUSED', `what answers at ${address} is no ${kind}`) : error;
}

/**
 * Whether the metaserver refuses a command because it has carried it out before: a later command has used the slot of its id
 * since, or its inode is gone since.
 */
export function wasCarriedOut(error: unknown): boolean {
  if (error instanceof ServiceError) return error.code === 'REFUSED';
  return error instanceof FileError && error.code === 'ESTALE';
}
