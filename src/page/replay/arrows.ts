// Messages as arrows: where they begin and end, what they are called, and how many there are where they are too many.
import type { MessageEvent } from '../../recording/format.js';
import type { Layout } from './layout.js';
import type { Palette } from './palette.js';
import { type Picture, tag } from './picture.js';
import { cross, dot, head, line } from './shapes.js';

const LABELLED_ARROWS = 70;
/** The height of a label. */
const LABEL_PX = 14;
/** A message that never arrived ends so far on its way. */
const LOST_SHARE = 0.62;
const LOST_PX = 26;
/** A longer arrow would lie flat on the lanes. */
const LONG_PX = 420;
const STUB_PX = 24;
const BUCKET_PX = 6;

export function drawArrows(picture: Picture, places: readonly number[]): void {
  const { player } = picture;
  const messages = places.filter((place) => player.timeline.events[place]?.kind === 'message');
  const isLabelled = messages.length <= LABELLED_ARROWS;
  const arrows = messages.filter((place) => place !== player.chosen);
  for (const place of arrows) drawArrow(picture, player.timeline.events[place] as MessageEvent, false);
  if (!isLabelled) return;
  const taken: Box[] = [];
  for (const place of arrows) labelArrow(picture, player.timeline.events[place] as MessageEvent, taken);
}

interface Box {
  x: number;
  y: number;
  width: number;
}

/** Its name, where no other one is already. */
function labelArrow({ context, layout, palette }: Picture, event: MessageEvent, taken: Box[]): void {
  if (event.isReply === true) return;
  const { x, y } = labelPlace(arrowOf(layout, event));
  context.font = `12px ${palette.font}`;
  const { width } = context.measureText(event.name);
  if (taken.some((box) => Math.abs(box.y - y) < LABEL_PX && x < box.x + box.width + 4 && box.x < x + width + 4)) return;
  taken.push({ x, y, width });
  tag({ context, palette }, event.name, x, y, colourOf(event, palette));
}

function labelPlace({ fromX, fromY, toX, toY }: Arrow): { x: number; y: number } {
  return { x: fromX + (toX - fromX) * 0.3 + 6, y: fromY + (toY - fromY) * 0.3 };
}

export interface Arrow {
  fromX: number;
  fromY: number;
  toX: number;
  toY: number;
}

/** Where an arrow begins and ends. */
export function arrowOf(layout: Layout, event: MessageEvent): Arrow {
  const fromX = layout.x(event.t);
  const fromY = layout.yOf(event.from);
  const wholeY = layout.yOf(event.to);
  if (event.arrived === null) {
    return { fromX, fromY, toX: fromX + LOST_PX, toY: fromY + (wholeY - fromY) * LOST_SHARE };
  }
  return { fromX, fromY, toX: layout.x(event.arrived ?? event.t), toY: wholeY };
}

function colourOf({ arrived, isFailure, isReply, name }: MessageEvent, palette: Palette): string {
  if (arrived === null || isFailure === true) return palette.bad;
  if (/vote|viewchange|takeover/i.test(name)) return palette.odd;
  return isReply === true ? palette.soft : palette.message;
}

export function drawArrow({ context, layout, palette, player }: Picture, event: MessageEvent, isChosen: boolean): void {
  const { fromX, fromY, toX, toY } = arrowOf(layout, event);
  const colour = isChosen ? palette.ink : colourOf(event, palette);
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.lineWidth = isChosen ? 3 : event.isReply === true ? 1 : 1.4;
  const isFlying = typeof event.arrived === 'number' && event.t <= player.us && player.us < event.arrived;
  if (event.arrived === null) context.setLineDash([5, 4]);
  if (toX - fromX > LONG_PX && !isChosen) drawLong(context, { fromX, fromY, toX, toY });
  else line(context, fromX, fromY, toX, toY);
  context.setLineDash([]);
  if (event.arrived === null) cross(context, toX, toY, 5);
  else if (toX - fromX > LONG_PX && !isChosen) head(context, toX - STUB_PX, toY - (toY - fromY) / 2, toX, toY, 7);
  else head(context, fromX, fromY, toX, toY, isChosen ? 10 : 7);
  if (isFlying && toX - fromX <= LONG_PX) {
    const share = (layout.x(player.us) - fromX) / Math.max(1e-6, toX - fromX);
    dot(context, fromX + (toX - fromX) * share, fromY + (toY - fromY) * share, 5);
  }
  if (!isChosen) return;
  const { x, y } = labelPlace({ fromX, fromY, toX, toY });
  tag({ context, palette }, event.name, x, y, colour, true);
}

/** One that waits behind a cut link for long: its beginning and its end, as it would have gone without. */
function drawLong(context: CanvasRenderingContext2D, { fromX, fromY, toX, toY }: Arrow): void {
  const rise = (toY - fromY) * 0.5;
  line(context, fromX, fromY, fromX + STUB_PX, fromY + rise);
  line(context, toX - STUB_PX, toY - rise, toX, toY);
}

/** How many messages each process has sent, where there are too many to draw. */
export function drawDensity({ context, layout, palette, player }: Picture, places: readonly number[]): void {
  const counts = new Map<number, number>();
  let most = 1;
  for (const place of places) {
    const event = player.timeline.events[place];
    if (event?.kind !== 'message') continue;
    const bucket = Math.floor(layout.x(event.t) / BUCKET_PX);
    const key = (player.timeline.laneAt.get(event.from) ?? 0) * 100_000 + bucket;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    most = Math.max(most, count);
  }
  context.fillStyle = palette.message;
  for (const [key, count] of counts) {
    const y = layout.y(Math.floor(key / 100_000));
    const height = Math.max(2, (count / most) * layout.lanePx * 0.42);
    context.fillRect((key % 100_000) * BUCKET_PX, y - height, BUCKET_PX - 1, height);
  }
  context.textAlign = 'right';
  tag(
    { context, palette },
    `${places.length} events here: zoom in to see each message`,
    layout.gutterPx + 10,
    layout.heightPx - 10,
    palette.soft,
  );
}
