// Whether what a mediator has answered still stands: what the write verifier
// of NFS is for unstable writes (RFC 1813, 4.4), for all changes.

/** Comes with every answered fsync. Whoever got another one before finds out by `isUnbroken` what may have become of changes meanwhile. */
export interface Verifier {
  /** The mediator, and how often changes that it had answered were lost. */
  mediator: string;
  /** The metaserver's history: another one after each of its crashes. */
  history: string;
}

/**
 * Nothing that was answered after the first was given is lost: the same mediator has lost none, and would have carried out
 * again what a crash took; a new one finds the metaserver that the old one knew.
 */
export function isUnbroken(first: Verifier, second: Verifier): boolean {
  return first.mediator === second.mediator || first.history === second.history;
}
