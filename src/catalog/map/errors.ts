// What the catalog refuses, each with a code that every interface turns into its own kind of error.

/**
 * - BAD_PATH, TOO_LARGE, BAD_REQUEST: the request can't be meant
 * - NOT_FOUND, EXISTS, NO_PARENT, NOT_EMPTY: what is there does not fit; nothing was done
 * - VERSION: a version was asked for that is not the one that is there, or is not newer; nothing was done
 * - NOT_LEADER: another server answers such requests; nothing was done
 * - CRASHED: this server has been told to act as if it had crashed
 * - UNAVAILABLE: too few servers can be reached; nothing was done
 * - OUTCOME_UNKNOWN: the change was made, or not, or will be
 */
export type CatalogErrorCode =
  | 'BAD_PATH'
  | 'TOO_LARGE'
  | 'BAD_REQUEST'
  | 'NOT_FOUND'
  | 'EXISTS'
  | 'NO_PARENT'
  | 'NOT_EMPTY'
  | 'VERSION'
  | 'NOT_LEADER'
  | 'CRASHED'
  | 'UNAVAILABLE'
  | 'OUTCOME_UNKNOWN';

export class CatalogError extends Error {
  override readonly name = 'CatalogError';
  constructor(
    readonly code: CatalogErrorCode,
    message: string,
    /** NOT_LEADER: where the server is that can answer, if that is known. */
    readonly leader?: { readonly name: string; readonly address: string },
  ) {
    super(message);
  }
}
