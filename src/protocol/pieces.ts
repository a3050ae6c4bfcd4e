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

/** A copy in an array of its own, with zeros behind them when it is longer than they are. */
export function copyOf(pieces: Pieces, lengthBytes = lengthOf(pieces)): Uint8Array {
  const copy = new Uint8Array(lengthBytes);
  let at = 0;
  for (const piece of pieces) {
    copy.set(piece, at);
    at += piece.length;
  }
  return copy;
}
