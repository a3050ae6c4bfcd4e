// Terms of primaries. Nobody votes, so two members may take over at once: a term must tell whose it is.
import type { MemberId } from '../members.js';

/** The low part of a term belongs to its primary alone. */
const OWNERS = 2 ** 20;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** A term of `self` that is later than `term`. */
export function nextReign(term: number, self: MemberId): number {
  return (reignNumber(term) + 1) * OWNERS + ownerNumber(self);
}

/** The number of a term, for people. */
export function reignNumber(term: number): number {
  return Math.floor(term / OWNERS);
}

/** FNV-1a over the id. */
function ownerNumber(member: MemberId): number {
  let hash = FNV_OFFSET;
  for (let at = 0; at < member.length; at++) {
    hash = Math.imul(hash ^ member.charCodeAt(at), FNV_PRIME) >>> 0;
  }
  return hash % OWNERS;
}
