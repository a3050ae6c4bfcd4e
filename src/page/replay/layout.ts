// Where things stand in the picture of a recording: lanes below each other, time to the right.
import type { Player } from './player.js';

const RULER_PX = 46;
const BOTTOM_PX = 22;
const LANE_PX = 54;
/** Many lanes stand closer together. */
const NARROW_LANE_PX = 40;
const FEW_LANES = 9;
/** Where the position stands while time passes, from the left. */
const ANCHOR = 0.62;
const BEGIN_PX = 28;

export class Layout {
  readonly gutterPx: number;
  readonly heightPx: number;
  readonly lanePx: number;
  /** What is to be seen, in microseconds. */
  readonly fromUs: number;
  readonly toUs: number;
  readonly #leftUnit: number;
  readonly #player: Player;

  constructor(
    player: Player,
    readonly widthPx: number,
  ) {
    this.#player = player;
    const lanes = player.timeline.lanes.length;
    this.gutterPx = widthPx < 560 ? 84 : 132;
    this.lanePx = lanes > FEW_LANES ? NARROW_LANE_PX : LANE_PX;
    this.heightPx = RULER_PX + lanes * this.lanePx + BOTTOM_PX;
    const unit = player.axis.unitOf(player.us);
    const anchorPx = (widthPx - this.gutterPx) * ANCHOR;
    this.#leftUnit = Math.max(-BEGIN_PX / player.scale, unit - anchorPx / player.scale);
    this.fromUs = this.usAt(this.gutterPx);
    this.toUs = this.usAt(widthPx);
  }

  get rulerPx(): number {
    return RULER_PX;
  }

  x(us: number): number {
    return this.xOfUnit(this.#player.axis.unitOf(us));
  }

  xOfUnit(unit: number): number {
    return this.gutterPx + (unit - this.#leftUnit) * this.#player.scale;
  }

  unitAt(x: number): number {
    return this.#leftUnit + (x - this.gutterPx) / this.#player.scale;
  }

  usAt(x: number): number {
    return this.#player.axis.usOf(this.unitAt(x));
  }

  /** The middle of a lane. */
  y(lane: number): number {
    return RULER_PX + (lane + 0.5) * this.lanePx;
  }

  yOf(process: string): number {
    return this.y(this.#player.timeline.laneAt.get(process) ?? 0);
  }
}
