// What the data servers have vouched for, as they answered. A read that is
// answered must have had a quorum of them behind each block: the right bytes
// alone do not show that anybody voted. What is read from its begin may have been
// read ahead, a second before.
import type { BlockService } from '../../src/protocol/services/blocks.js';
import type { Hash } from '../../src/protocol/values/hash.js';
import { versionKey } from './version-key.js';

/** What the mediator reads ahead, and for how long it keeps that (mediator/files/next-files.ts). */
const SMALL_FILE_BYTES = 32 * 1024;
const READ_AHEAD_US = 1_000_000;

interface Ballot {
  server: number;
  hash: Hash;
  atUs: number;
}

/** A read that is under way. */
export interface WatchedRead {
  readonly inode: number;
  readonly startedUs: number;
}

export class BallotWatch {
  /** By block, then by version. */
  readonly #ballots = new Map<string, Map<string, Ballot[]>>();
  readonly #reads = new Set<WatchedRead>();

  readonly #readQuorum: number;
  readonly #blockSizeBytes: number;
  readonly #nowUs: () => number;
  readonly #zeros: Buffer;

  constructor(readQuorum: number, blockSizeBytes: number, nowUs: () => number) {
    this.#readQuorum = readQuorum;
    this.#blockSizeBytes = blockSizeBytes;
    this.#nowUs = nowUs;
    this.#zeros = Buffer.alloc(blockSizeBytes);
  }

  /** The same service, with its answers to gets noted. */
  over(server: number, blocks: BlockService): BlockService {
    return {
      ...blocks,
      get: async (request, options) => {
        const reply = await blocks.get(request, options);
        for (const [position, { inode, index, version }] of request.items.entries()) {
          const result = reply.results[position];
          if (result?.state !== 'present') continue;
          const versions = this.#ballots.get(blockKey(inode, index)) ?? new Map<string, Ballot[]>();
          const key = versionKey({ inode, index, version });
          const ballots = versions.get(key) ?? [];
          ballots.push({ server, hash: result.hash, atUs: this.#nowUs() });
          this.#ballots.set(blockKey(inode, index), versions.set(key, ballots));
        }
        return reply;
      },
    };
  }

  readStarts(inode: number): WatchedRead {
    const read = { inode, startedUs: this.#nowUs() };
    this.#reads.add(read);
    return read;
  }

  readEnds(read: WatchedRead): void {
    this.#reads.delete(read);
    if (this.#reads.size > 0) return;
    const sinceUs = this.#nowUs() - READ_AHEAD_US;
    for (const [block, versions] of this.#ballots) {
      for (const [version, ballots] of versions) {
        const young = ballots.filter(({ atUs }) => atUs >= sinceUs);
        if (young.length === 0) versions.delete(version);
        else versions.set(version, young);
      }
      if (versions.size === 0) this.#ballots.delete(block);
    }
  }

  /**
   * What is wrong with an answer to the read, or null: of some block too few servers have said since it began, or since it may
   * have been read ahead, that they hold one and the same content. Zeros need nobody, since holes are not stored.
   */
  problemOf({ inode, startedUs }: WatchedRead, offset: number, data: Uint8Array): string | null {
    const mayBeAhead = offset === 0 && data.length <= SMALL_FILE_BYTES;
    const sinceUs = mayBeAhead ? startedUs - READ_AHEAD_US : startedUs;
    for (let at = 0; at < data.length; ) {
      const index = Math.floor((offset + at) / this.#blockSizeBytes);
      const end = Math.min(data.length, (index + 1) * this.#blockSizeBytes - offset);
      const isZeros = this.#zeros.subarray(0, end - at).equals(data.subarray(at, end));
      const agreeing = isZeros ? this.#readQuorum : this.#agreeing(blockKey(inode, index), sinceUs);
      if (agreeing < this.#readQuorum) {
        return `block ${index} of inode ${inode} was answered for ${agreeing} servers that agree, not ${this.#readQuorum}`;
      }
      at = end;
    }
    return null;
  }

  /** The most servers that have vouched for one content of one version since then. */
  #agreeing(block: string, sinceUs: number): number {
    let most = 0;
    for (const ballots of this.#ballots.get(block)?.values() ?? []) {
      const servers = new Map<Hash, Set<number>>();
      for (const { server, hash, atUs } of ballots) {
        if (atUs < sinceUs) continue;
        const agreeing = (servers.get(hash) ?? new Set()).add(server);
        servers.set(hash, agreeing);
        most = Math.max(most, agreeing.size);
      }
    }
    return most;
  }
}

function blockKey(inode: number, index: number): string {
  return `${inode}/${index}`;
}
