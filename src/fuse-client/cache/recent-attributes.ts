// Attributes from the answers to recent changes of this mount. A getattr that was
// asked before a change may be answered after it: its older size must not win.
// And the kernel, which forgets the attributes of what it changes, is answered
// without asking the service.
import type { Attributes } from '../../protocol/services/files.js';
import type { Clock } from '../../runtime/clock.js';
import { RecentMap } from '../../runtime/recent-map.js';

/** Longer than any answer takes. */
const KEPT_MS = 10_000;
const KEPT_ENTRIES = 1024;
/** Many, since each is only a number, and the kernel asks about every folder of a path. */
const KEPT_INODES = 65_536;

interface Entry {
  attributes: Attributes;
  atMs: number;
}

export class RecentAttributes {
  readonly #entries = new RecentMap<number, Entry>(KEPT_ENTRIES);
  /** Inode → when the service said last that it has no extended attributes. */
  readonly #noExtendedAttributes = new RecentMap<number, number>(KEPT_INODES);

  readonly #clock: Clock;
  readonly #trustedMs: number;

  /** @param trustedMs how long attributes are answered from here: as long as the kernel itself keeps them */
  constructor(clock: Clock, trustedMs: number) {
    this.#clock = clock;
    this.#trustedMs = trustedMs;
  }

  kept(): Record<string, number> {
    return { recentAttributes: this.#entries.size, bareInodes: this.#noExtendedAttributes.size };
  }

  /** Takes the attributes from the answer to a change of this mount. */
  remember(attributes: Attributes): void {
    const before = this.#entries.get(attributes.inode);
    if (before !== undefined && before.attributes.revision > attributes.revision) return;
    this.#noteExtendedAttributes(attributes);
    this.#entries.set(attributes.inode, { attributes, atMs: this.#clock.monotonicMs() });
  }

  /** Whether the service has said within `trustedMs` that the inode has no extended attributes. */
  hasNoExtendedAttributes(inode: number): boolean {
    const atMs = this.#noExtendedAttributes.get(inode);
    return atMs !== undefined && this.#clock.monotonicMs() - atMs <= this.#trustedMs;
  }

  /** The attributes that a change of this mount was answered with, within `trustedMs`. */
  ofLastChange(inode: number): Attributes | undefined {
    const entry = this.#entries.get(inode);
    return entry !== undefined && this.#clock.monotonicMs() - entry.atMs <= this.#trustedMs
      ? entry.attributes
      : undefined;
  }

  /** `fetched`, or newer attributes that are known here. */
  newest(fetched: Attributes): Attributes {
    const newest = this.#newer(fetched);
    this.#noteExtendedAttributes(newest);
    return newest;
  }

  #newer(fetched: Attributes): Attributes {
    const entry = this.#entries.get(fetched.inode);
    if (entry === undefined) return fetched;
    if (this.#clock.monotonicMs() - entry.atMs > KEPT_MS) {
      this.#entries.delete(fetched.inode);
      return fetched;
    }
    if (entry.attributes.revision > fetched.revision) return entry.attributes;
    if (entry.attributes.revision < fetched.revision) this.#entries.delete(fetched.inode);
    return fetched;
  }

  clear(): void {
    this.#entries.clear();
    this.#noExtendedAttributes.clear();
  }

  forget(inode: number): void {
    this.#entries.delete(inode);
    this.#noExtendedAttributes.delete(inode);
  }

  #noteExtendedAttributes({ inode, extendedAttributes }: Attributes): void {
    if (extendedAttributes > 0) this.#noExtendedAttributes.delete(inode);
    else this.#noExtendedAttributes.set(inode, this.#clock.monotonicMs());
  }
}
