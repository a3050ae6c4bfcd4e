// The bytes that operations write. Each piece of 16 says which operation wrote
// it, and for which offset, so that a byte in the wrong place tells whence it
// came. None of them is zero: zeros are what was never written.

const PIECE_BYTES = 16;

/** The bytes that an operation writes at [offset, offset + length). */
export function bytesOf(operation: number, offset: number, length: number): Buffer {
  const first = Math.floor(offset / PIECE_BYTES);
  const end = Math.ceil((offset + length) / PIECE_BYTES);
  let text = '';
  for (let piece = first; piece < end; piece++) {
    text += `${String(operation).padStart(7, '.')}@${(piece * PIECE_BYTES).toString(16).padStart(7, '.')}|`;
  }
  const start = offset - first * PIECE_BYTES;
  return Buffer.from(text, 'latin1').subarray(start, start + length);
}

/** What is wrong with the bytes found at an offset; null when nothing is. */
export function difference(found: Buffer, expected: Buffer, offset: number): string | null {
  if (found.equals(expected)) return null;
  if (found.length !== expected.length) {
    return `${found.length} bytes instead of ${expected.length} at ${offset}`;
  }
  let first = 0;
  while (found[first] === expected[first]) first++;
  let last = found.length - 1;
  while (found[last] === expected[last]) last--;
  return [
    `wrong bytes from ${offset + first} to ${offset + last}`,
    `  found    ${excerpt(found, first, offset)}`,
    `  expected ${excerpt(expected, first, offset)}`,
  ].join('\n');
}

/** Two pieces from the one that the position is in. */
function excerpt(bytes: Buffer, position: number, offset: number): string {
  const start = Math.max(0, position - ((offset + position) % PIECE_BYTES));
  return JSON.stringify(bytes.subarray(start, start + 2 * PIECE_BYTES).toString('latin1'));
}
