// Random commands for a namespace, from a seed, in a small world where they
// meet: few names, few inodes, bases that are often right.
import type { Command, Commands } from '../../../src/protocol/services/metadata.js';
import { BLOCK_BYTES, change, makeRequest, seeded } from './harness.js';

type RenameMode = Commands['rename']['request']['mode'];

export class RandomCommands {
  readonly #random: () => number;
  #timeNs = 1000n;
  #version = 1;
  /** Inode numbers up to this are named by commands. */
  inodes = 2;
  /** Inodes that exist, for runs that know: then most commands name one of them. */
  live: () => number[] = () => [];

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }

  #pick<T>(first: T, ...others: T[]): T {
    return [first, ...others][this.below(others.length + 1)] ?? first;
  }

  /** The root, one that exists, or a young one that may be gone. */
  #inode(): number {
    if (this.#random() < 0.2) return 1;
    const live = this.#random() < 0.85 ? this.live() : [];
    return live[this.below(live.length)] ?? 1 + Math.max(0, this.inodes - 1 - this.below(Math.min(12, this.inodes)));
  }

  #name(): string {
    return this.#pick('a', 'b', 'c', 'd', 'e', 'f');
  }

  #held(): number[] {
    return Array.from({ length: this.below(6) }, () => this.#inode());
  }

  /** `baseOf`: what the block map names now, so that most commits are no conflict. */
  next(baseOf: (inode: number, index: number) => number): Command {
    this.#timeNs += 1n;
    const timeNs = this.#timeNs;
    const dice = this.#random();
    if (dice < 0.3) {
      const kind = this.#pick('file', 'file', 'file', 'directory', 'directory', 'symlink', 'fifo');
      const mode = this.#pick(0o644, 0o755, 0o2775, 0o6711);
      return { name: 'make', timeNs, request: makeRequest(this.#inode(), this.#name(), kind, mode) };
    }
    if (dice < 0.38) {
      return { name: 'unlink', timeNs, request: { parent: this.#inode(), name: this.#name(), held: this.#held() } };
    }
    if (dice < 0.42) return { name: 'rmdir', timeNs, request: { parent: this.#inode(), name: this.#name() } };
    if (dice < 0.48) {
      return { name: 'link', timeNs, request: { inode: this.#inode(), parent: this.#inode(), name: this.#name() } };
    }
    if (dice < 0.66) {
      const parent = this.#inode();
      const newParent = this.#random() < 0.4 ? parent : this.#inode();
      const mode = this.#pick<RenameMode>('replace', 'replace', 'no-replace', 'exchange');
      const held = this.#held();
      const whiteout = this.#random() < 0.3 ? { whiteout: { uid: 10, gid: 20 } } : {};
      const request = { parent, name: this.#name(), newParent, newName: this.#name(), mode, held, ...whiteout };
      return { name: 'rename', timeNs, request };
    }
    if (dice < 0.74) {
      const changes = this.#pick<object>({ mode: 0o700 }, { uid: 3 }, { gid: 4, modifyTimeNs: 9n }, { mode: 0o4755 });
      return { name: 'setattr', timeNs, request: { inode: this.#inode(), changes, caller: { uid: 0, gid: 0 } } };
    }
    if (dice < 0.9) return this.#commit(timeNs, baseOf);
    if (dice < 0.95) {
      const value = Buffer.from(this.#pick('one', 'two', ''));
      const mode = this.#pick('set', 'create', 'replace');
      return { name: 'setxattr', timeNs, request: { inode: this.#inode(), name: `user.${this.#name()}`, value, mode } };
    }
    if (dice < 0.98) return { name: 'trim', timeNs, request: this.#trim(timeNs) };
    return { name: 'purge', timeNs, request: { inode: this.#inode() } };
  }

  #trim(timeNs: bigint): Commands['trim']['request'] {
    const truncateTo = this.#random() < 0.6 ? this.below(6 * BLOCK_BYTES) : null;
    const hole = this.#random() < 0.6 ? { hole: { first: this.below(4), end: this.below(7) } } : {};
    return { inode: this.#inode(), revision: 1 + this.below(6), truncateTo, ...hole, modifyTimeNs: timeNs };
  }

  #commit(timeNs: bigint, baseOf: (inode: number, index: number) => number): Command {
    const inode = this.#inode();
    const first = this.below(5);
    const changes = Array.from({ length: this.below(4) }, (_, n) => {
      const index = first + n;
      const base = this.#random() < 0.95 ? baseOf(inode, index) : this.below(50);
      const length = this.#pick(BLOCK_BYTES, BLOCK_BYTES, 100);
      return change(index, base, this.#random() < 0.2 ? 0 : this.#version++, length);
    });
    const truncateTo = this.#random() < 0.3 ? this.below(6 * BLOCK_BYTES) : null;
    const minimumSizeBytes = this.below(6 * BLOCK_BYTES);
    const missing = this.#random() < 0.3 ? ['data1', 'data2'].slice(this.below(2)) : [];
    const hole = this.#random() < 0.2 ? { hole: { first: this.below(4), end: this.below(7) } } : {};
    const request = { inode, changes, truncateTo, ...hole, minimumSizeBytes, modifyTimeNs: timeNs, missing };
    return { name: 'commit', timeNs, request };
  }
}
