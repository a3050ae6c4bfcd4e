// Long lists in parts of a bounded size.

/** Of the content of one part. A longer element is a part of its own. */
export const PART_BYTES = 256 * 1024;
/** For what else an element takes. */
const ELEMENT_BYTES = 64;

/** Parts of the list, in order; none of them is empty. @param bytesOf about how many an element takes */
export function* inParts<T>(
  list: Iterable<T>,
  bytesOf: (element: T) => number,
  mostBytes = PART_BYTES,
): Generator<T[]> {
  let part: T[] = [];
  let bytes = 0;
  for (const element of list) {
    const more = bytesOf(element) + ELEMENT_BYTES;
    if (part.length > 0 && bytes + more > mostBytes) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(element);
    bytes += more;
  }
  if (part.length > 0) yield part;
}
