// Pages of listings.

/** Where the entries behind a cookie begin. Cookies grow in list order. */
export function firstAfter(entries: readonly { readonly cookie: number }[], cookie: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.cookie ?? 0) > cookie) high = middle;
    else low = middle + 1;
  }
  return low;
}
