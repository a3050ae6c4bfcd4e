// Bytes in several arrays. What comes block by block is handed on as it came:
// laying it side by side would touch every byte once more.

/** Bytes, behind each other. */
export type Pieces = readonly Uint8Array[];

export const NO_PIECES: Pieces = [];

export function lengthOf(pieces: Pieces): number {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  return length;
}

/** Copies them to the beginning of `target`, which must have room for them; answers their length. */
export function copyTo(target: Uint8Array, pieces: Pieces): number {
  let at = 0;
  for (const piece of pieces) {
    target.set(piece, at);
    at += piece.length;
  }
  return at;
}

/** A copy in an array of its own, with zeros behind them when it is longer than they are. */
export function copyOf(pieces: Pieces, lengthBytes = lengthOf(pieces)): Uint8Array {
  const copy = new Uint8Array(lengthBytes);
  copyTo(copy, pieces);
  return copy;
}
