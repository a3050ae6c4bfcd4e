// Server-sent events: one snapshot for all who look, computed once a second at
// most and only while somebody looks.
import { Buffer } from 'node:buffer';
import type { Clock, Timer } from '../../runtime/clock.js';
import type { HttpReply, HttpStream } from '../../runtime/network.js';

export interface LiveSource {
  /** What whoever has just come gets first, as events by name. */
  first(): Record<string, unknown>;
  /** What everybody gets; must not reject. */
  snapshot(): Promise<unknown>;
}

const PERIOD_MS = 1000;
/** A viewer that has so much yet to read gets the next snapshot and not this one: each is whole. */
const BACKLOG_BYTES = 128 * 1024;
/** One that reads nothing for so long sleeps, or is gone without a word; if it comes back, it connects anew. */
const IDLE_MS = 60_000;
/** More than any use needs; each costs a descriptor. */
const MAXIMUM_VIEWERS = 1000;
/** A browser tries again after this. */
const RETRY_MS = 1000;

export class LiveFeed {
  /** With when it was last known to read, by the monotonic clock. */
  readonly #viewers = new Map<HttpStream, number>();
  #timer: Timer | null = null;
  #isAsking = false;
  #latest: Buffer | null = null;

  readonly #source: LiveSource;
  readonly #clock: Clock;

  constructor(source: LiveSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /** The reply to who wants to look. */
  reply(): HttpReply {
    if (this.#viewers.size >= MAXIMUM_VIEWERS) return { status: 503, body: 'too many are looking\n' };
    return {
      status: 200,
      headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
      body: `retry: ${RETRY_MS}\n\n`,
      stream: (viewer) => this.#add(viewer),
    };
  }

  #add(viewer: HttpStream): void {
    viewer.onClose(() => this.#remove(viewer));
    this.#viewers.set(viewer, this.#clock.monotonicMs());
    for (const [name, value] of Object.entries(this.#source.first())) viewer.write(encode(name, value));
    if (this.#latest !== null) viewer.write(this.#latest);
    if (this.#timer === null && !this.#isAsking) void this.#tell();
  }

  #remove(viewer: HttpStream): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size > 0) return;
    this.#timer?.cancel();
    this.#timer = null;
    this.#latest = null;
  }

  async #tell(): Promise<void> {
    this.#timer = null;
    const startMs = this.#clock.monotonicMs();
    this.#isAsking = true;
    const snapshot = await this.#source.snapshot();
    this.#isAsking = false;
    if (this.#viewers.size === 0) return;
    const event = encode('snapshot', snapshot);
    this.#latest = event;
    const nowMs = this.#clock.monotonicMs();
    for (const [viewer, readMs] of [...this.#viewers]) {
      if (viewer.queuedBytes() < BACKLOG_BYTES) {
        viewer.write(event);
        this.#viewers.set(viewer, nowMs);
      } else if (nowMs - readMs > IDLE_MS) viewer.drop();
    }
    if (this.#viewers.size === 0) return;
    const restMs = Math.max(PERIOD_MS / 4, PERIOD_MS - (this.#clock.monotonicMs() - startMs));
    this.#timer = this.#clock.after(restMs, () => void this.#tell());
  }
}

function encode(name: string, value: unknown): Buffer {
  return Buffer.from(`event: ${name}\ndata: ${JSON.stringify(value)}\n\n`);
}
