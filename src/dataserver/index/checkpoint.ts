// How far into the log the index has come, and its totals: one row, written in
// the same transaction as everything that it speaks of.
import { Buffer } from 'node:buffer';

const FORMAT = 1;

export interface Checkpoint {
  /** All records before this place in the log are in the index. */
  segment: number;
  offset: number;
  blocks: number;
  bytes: number;
}

export function encodeCheckpoint({ segment, offset, blocks, bytes }: Checkpoint): Buffer {
  return Buffer.from(JSON.stringify({ format: FORMAT, segment, offset, blocks, bytes }));
}

/** undefined when it is damaged or of another format: the index is then as good as missing. */
export function decodeCheckpoint(value: Buffer): Checkpoint | undefined {
  let parsed: (Partial<Checkpoint> & { format?: number }) | null;
  try {
    parsed = JSON.parse(value.toString());
  } catch {
    return undefined;
  }
  const numbers = [parsed?.segment, parsed?.offset, parsed?.blocks, parsed?.bytes];
  if (parsed === null || parsed.format !== FORMAT || !numbers.every(Number.isSafeInteger)) return undefined;
  return parsed as Checkpoint;
}
