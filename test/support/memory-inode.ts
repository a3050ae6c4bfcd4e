// What a file of a disk in memory holds: in the system's cache, on the disk, and after the power was cut.
import { Buffer } from 'node:buffer';

const SECTOR_BYTES = 512;

export interface Write {
  position: number;
  bytes: Buffer;
}

export interface Inode {
  content: Buffer;
  /** As of the last sync. */
  durable: Buffer;
  /** Since then; a truncation is a write of nothing that also cuts. */
  unsynced: Write[];
  /** What a failed sync dropped: it can be read until the power goes, and no later sync writes it. */
  dropped: Write[];
  /** Pages in the system's cache; undefined for all. */
  cached?: Set<number>;
}

/** What happens to what was not synced: lost as a whole, or kept sector by sector as `keeps` says. */
export type Loss = 'all' | { keeps(): boolean };

/** What a file holds after the power was cut. */
export function settle(inode: Inode, loss: Loss): void {
  let content = inode.durable;
  if (loss !== 'all') {
    for (const { position, bytes } of inode.unsynced) {
      for (let at = 0; at < bytes.length; ) {
        const sectorEnd = Math.min(bytes.length, at + SECTOR_BYTES - ((position + at) % SECTOR_BYTES));
        if (loss.keeps()) content = withBytes(content, bytes.subarray(at, sectorEnd), position + at);
        at = sectorEnd;
      }
    }
  }
  Object.assign(inode, { content, durable: content, unsynced: [], dropped: [] });
}

/** `content` with what was on the disk before in the place of what a failed sync dropped. */
export function withoutDropped(content: Buffer, { durable, dropped }: Inode): Buffer {
  const bytes = Buffer.from(content);
  for (const write of dropped) {
    bytes.fill(0, write.position, end(write));
    durable.copy(bytes, write.position, write.position, Math.min(durable.length, end(write)));
  }
  return bytes;
}

export function end({ position, bytes }: Write): number {
  return position + bytes.length;
}

function withBytes(content: Buffer, bytes: Buffer, position: number): Buffer {
  const changed = Buffer.alloc(Math.max(content.length, position + bytes.length));
  content.copy(changed);
  bytes.copy(changed, position);
  return changed;
}
