// Versions that servers were seen to have, some of which did not say.

/** Of a server that has not answered in time: below every version. */
export const NOT_KNOWN = -1;

/** Whether one of them is another now, as far as both are known. */
export function haveChanged(before: readonly number[], after: readonly number[]): boolean {
  return before.some((version, at) => version !== NOT_KNOWN && after[at] !== NOT_KNOWN && after[at] !== version);
}
