// Whose turn it is: the voters lead by turns, in the order of their names.
import { assert } from '../../../runtime/assert.js';
import type { MemberId, Members } from '../members.js';

export function primaryOf(view: number, { voters }: Members): MemberId {
  const primary = voters[view % voters.length];
  assert(primary !== undefined, 'a view has a primary where there are voters');
  return primary;
}

/** The next view behind `view` whose primary is fit; one of the voters must be. */
export function nextView(view: number, members: Members, isFit: (voter: MemberId) => boolean): number {
  assert(members.voters.some(isFit), 'somebody is fit to be the next primary');
  let next = view + 1;
  while (!isFit(primaryOf(next, members))) next++;
  return next;
}
