// A kernel session without a kernel: requests as bytes in, replies taken apart.
import { KernelSession } from '../../../src/fuse-client/kernel/session.js';
import type { Fixture } from './fixture.js';

export interface SeenReply {
  unique: number;
  /** 0 or a negative errno. */
  error: number;
  body: Buffer;
}

export function sessionOver(parts: Fixture) {
  const replies: SeenReply[] = [];
  let ready = false;
  const killed = new Set<number>();
  const session = new KernelSession({
    operations: parts.operations,
    runtime: parts.runtime,
    attributeTimeoutMs: 1000,
    send: (chunks) => {
      const bytes = Buffer.concat(chunks);
      if (bytes.readUInt32LE(0) !== bytes.length) throw new Error('a reply with a wrong length');
      replies.push({
        unique: Number(bytes.readBigUInt64LE(8)),
        error: bytes.readInt32LE(4),
        body: Buffer.from(bytes.subarray(16)),
      });
      return true;
    },
    forgetAttributes: (inode) => void parts.forgotten.push(`attributes:${inode}`),
    isBeingKilled: async (threadId) => killed.has(threadId),
    ready: () => {
      ready = true;
    },
  });
  return { receive: (bytes: Buffer) => session.receive(bytes), replies, killed, isReady: () => ready };
}
