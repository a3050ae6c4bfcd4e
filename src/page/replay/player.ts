// What is looked at, and from where: the position in time, the chosen event, the zoom, what is hidden, and whether it plays.
import { type Axis, EvenAxis, TrueAxis } from '../../recording/axis.js';
import type { RecordedEvent } from '../../recording/format.js';
import type { Recording } from '../../recording/reader.js';
import { headline, JUMPS, type Jump } from '../../recording/sentences.js';
import { isSteady, Timeline } from '../../recording/timeline.js';
import { Store } from '../live/store.js';

/** Pixels from one moment to the next. */
const EVEN_ZOOMS = [1, 2, 4, 8, 14, 24, 40, 70] as const;
/** Microseconds in a hundred pixels. */
const TRUE_ZOOMS = [2_000_000, 500_000, 100_000, 25_000, 5_000, 1_000, 250, 60] as const;
const FIRST_ZOOM = 5;
/** Of events, or of milliseconds true to scale, in a second. */
export const SPEEDS = [1, 2, 5, 10, 25, 100, 1000] as const;
const TRUE_US_PER_SPEED = 1000;
/** Lists follow a position that moves so often. */
const CALM_MS = 150;

export interface Filters {
  hidesSteady: boolean;
  hidesReplies: boolean;
  /** Part of a name or a process; empty for all messages. */
  text: string;
}

export class Player {
  /** Counts what needs a new picture. */
  readonly frames = new Store(0);
  /** Counts what needs new words; while it plays, only now and then. */
  readonly words = new Store(0);
  timeline: Timeline;
  axis: Axis;
  us: number;
  /** The place of an event in the timeline. */
  chosen: number | null = null;
  isPlaying = false;
  speed = 5;
  isEven = true;
  zoom = FIRST_ZOOM;
  filters: Filters = { hidesSteady: true, hidesReplies: false, text: '' };
  #lastFrameMs = 0;
  #lastWordsMs = 0;

  readonly recording: Recording;

  /** @param us where to begin; the start of the recording when absent */
  constructor(recording: Recording, us?: number) {
    this.recording = recording;
    this.timeline = new Timeline(recording, (event) => this.#isHidden(event));
    this.axis = this.#makeAxis();
    this.us = this.timeline.startUs;
    if (us !== undefined && Number.isFinite(us)) this.#goTo(us);
  }

  /** Pixels a unit of the axis. */
  get scale(): number {
    return this.isEven ? (EVEN_ZOOMS[this.zoom] ?? 1) : 100 / (TRUE_ZOOMS[this.zoom] ?? 1);
  }

  get mayZoomIn(): boolean {
    return this.zoom < EVEN_ZOOMS.length - 1;
  }

  get mayZoomOut(): boolean {
    return this.zoom > 0;
  }

  get chosenEvent(): RecordedEvent | undefined {
    return this.chosen === null ? undefined : this.timeline.events[this.chosen];
  }

  get isAtEnd(): boolean {
    return this.us >= this.timeline.endUs;
  }

  seek(us: number): void {
    this.#goTo(us);
    this.#changed();
  }

  choose(place: number): void {
    const event = this.timeline.events[place];
    if (event === undefined) return;
    this.chosen = place;
    this.us = event.t;
    this.#changed();
  }

  /** To the next event, or the one before. Behind the last comes the end. */
  step(direction: 1 | -1): void {
    this.isPlaying = false;
    const next = this.#place(direction) + direction;
    if (next >= this.timeline.events.length) this.seek(this.timeline.endUs);
    else if (next >= 0) this.choose(next);
    else this.seek(this.timeline.startUs);
  }

  /** @returns whether there is one */
  jump(kind: Jump, direction: 1 | -1): boolean {
    this.isPlaying = false;
    const found = this.timeline.find(this.#place(direction), direction, JUMPS[kind][1]);
    if (found !== null) this.choose(found);
    else this.#changed();
    return found !== null;
  }

  play(): void {
    if (this.isAtEnd) this.us = this.timeline.startUs;
    this.isPlaying = true;
    this.chosen = null;
    this.#lastFrameMs = 0;
    this.#changed();
  }

  pause(): void {
    this.isPlaying = false;
    this.#changed();
  }

  /** Moves on while it plays. @param nowMs of the frame */
  tick(nowMs: number): void {
    if (!this.isPlaying) return;
    const passedMs = this.#lastFrameMs === 0 ? 0 : Math.min(100, nowMs - this.#lastFrameMs);
    this.#lastFrameMs = nowMs;
    const units = (passedMs / 1000) * this.speed * (this.isEven ? 2 : TRUE_US_PER_SPEED);
    this.us = Math.min(this.timeline.endUs, this.axis.usOf(this.axis.unitOf(this.us) + units));
    if (this.us >= this.timeline.endUs) this.isPlaying = false;
    this.frames.value++;
    if (nowMs - this.#lastWordsMs < CALM_MS && this.isPlaying) return;
    this.#lastWordsMs = nowMs;
    this.words.value++;
  }

  set(change: Partial<Pick<Player, 'speed' | 'zoom' | 'isEven'>>): void {
    Object.assign(this, change);
    this.axis = this.#makeAxis();
    this.#changed();
  }

  filter(change: Partial<Filters>): void {
    const event = this.chosenEvent;
    this.filters = { ...this.filters, ...change };
    this.timeline = new Timeline(this.recording, (each) => this.#isHidden(each));
    this.axis = this.#makeAxis();
    const place = event === undefined ? -1 : this.timeline.events.indexOf(event);
    this.chosen = place < 0 ? null : place;
    this.#changed();
  }

  #goTo(us: number): void {
    const { startUs, endUs } = this.timeline;
    this.us = Math.max(startUs, Math.min(endUs, us));
    const place = this.timeline.placeAt(this.us);
    this.chosen = this.timeline.events[place]?.t === this.us ? place : null;
  }

  /** Where a step goes from. */
  #place(direction: 1 | -1): number {
    if (this.chosen !== null) return this.chosen;
    const next = this.timeline.placeAt(this.us);
    return direction === 1 ? next - 1 : next;
  }

  #isHidden(event: RecordedEvent): boolean {
    if (event.kind !== 'message') return false;
    const { hidesReplies, hidesSteady, text } = this.filters;
    if ((hidesReplies && event.isReply === true) || (hidesSteady && isSteady(event))) return true;
    return text !== '' && !headline(event).toLowerCase().includes(text.toLowerCase());
  }

  #makeAxis(): Axis {
    const { events, startUs, endUs } = this.timeline;
    return this.isEven ? new EvenAxis(events, startUs, endUs) : new TrueAxis(startUs, endUs);
  }

  #changed(): void {
    this.frames.value++;
    this.words.value++;
  }
}
