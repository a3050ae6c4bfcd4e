// Attributes that the answers to changes made here brought lately: a getattr
// that was asked before a change may be answered after it, and its older size
// would be believed; and the kernel, which forgets what its own changes touch,
// need not ask again for what the answer already said.
import type { Attributes } from '../../protocol/services/files.js';
import type { Clock } from '../../runtime/clock.js';

/** Longer than any answer is under way. */
const KEPT_MS = 10_000;
const KEPT_ENTRIES = 1024;
/** Only a number each; the kernel asks for every folder on its way. */
const KEPT_BARE = 65_536;

interface Entry {
  attributes: Attributes;
  atMs: number;
}

export class RecentAttributes {
  readonly #entries = new Map<number, Entry>();
  /** When it was answered last that the inode has no extended attributes. */
  readonly #bare = new Map<number, number>();

  readonly #clock: Clock;
  readonly #trustedMs: number;

  /** @param trustedMs how long a change's answer stands for a question that the kernel would not ask again either */
  constructor(clock: Clock, trustedMs: number) {
    this.#clock = clock;
    this.#trustedMs = trustedMs;
  }

  /** Caches both. */
  kept(): Record<string, number> {
    return { recentAttributes: this.#entries.size, bareInodes: this.#bare.size };
  }

  /** A change made through this mount answered these. */
  remember(attributes: Attributes): void {
    const before = this.#entries.get(attributes.inode);
    if (before !== undefined && before.attributes.revision > attributes.revision) return;
    this.#noteBare(attributes);
    keep(this.#entries, { attributes, atMs: this.#clock.monotonicMs() });
  }

  /** Whether it was answered so lately that the inode has no extended attributes that asking again is for nothing. */
  isBare(inode: number): boolean {
    const atMs = this.#bare.get(inode);
    return atMs !== undefined && this.#clock.monotonicMs() - atMs <= this.#trustedMs;
  }

  /** What a change made here said so lately that asking again is for nothing. */
  ofLastChange(inode: number): Attributes | undefined {
    const entry = this.#entries.get(inode);
    return entry !== undefined && this.#clock.monotonicMs() - entry.atMs <= this.#trustedMs
      ? entry.attributes
      : undefined;
  }

  /** `fetched`, or what is known to be newer. */
  newest(fetched: Attributes): Attributes {
    const newest = this.#newer(fetched);
    this.#noteBare(newest);
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
    this.#bare.clear();
  }

  forget(inode: number): void {
    this.#entries.delete(inode);
    this.#bare.delete(inode);
  }

  #noteBare({ inode, extendedAttributes }: Attributes): void {
    this.#bare.delete(inode);
    if (extendedAttributes > 0) return;
    this.#bare.set(inode, this.#clock.monotonicMs());
    if (this.#bare.size <= KEPT_BARE) return;
    const [oldest] = this.#bare.keys();
    if (oldest !== undefined) this.#bare.delete(oldest);
  }
}

function keep(entries: Map<number, Entry>, entry: Entry): void {
  const { inode } = entry.attributes;
  entries.delete(inode);
  entries.set(inode, entry);
  if (entries.size <= KEPT_ENTRIES) return;
  const [oldest] = entries.keys();
  if (oldest !== undefined) entries.delete(oldest);
}
