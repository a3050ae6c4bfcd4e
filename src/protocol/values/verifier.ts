// Tells whether changes that a mediator has answered may have been lost since,
// as the write verifier of NFS does for unstable writes (RFC 1813, 4.4).

/** Comes with every answered fsync. A client that holds changes from before compares it with the one it got earlier. */
export interface Verifier {
  /** The mediator, and how often it has lost changes that it had answered. */
  mediator: string;
  /** The metaserver's history: it gets a new one after each of its crashes. */
  history: string;
}

/**
 * Whether everything that was answered since `first` was given still stands. It does if either is the same:
 * - the mediator: it has lost nothing, and has carried out again what a crash of the metaserver took;
 * - the metaserver's history: it has not crashed, so a new mediator finds all that the old one had done.
 */
export function isUnbroken(first: Verifier, second: Verifier): boolean {
  return first.mediator === second.mediator || first.history === second.history;
}
