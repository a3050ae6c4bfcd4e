// Draws the picture of a recording for one position: lanes, roles, cuts, messages, and what happened to processes.
import type { MessageEvent, RecordedEvent } from '../../recording/format.js';
import { agreeing, isAgreed, isLoss, timeText } from '../../recording/sentences.js';
import type { Lane, LifeSpan, RoleSpan } from '../../recording/timeline.js';
import type { Layout } from './layout.js';
import type { Palette } from './palette.js';
import type { Player } from './player.js';

export interface Picture {
  context: CanvasRenderingContext2D;
  player: Player;
  layout: Layout;
  palette: Palette;
}

/** More arrows than this are drawn as how many they are. */
const MOST_ARROWS = 4000;
const LABELLED_ARROWS = 70;
/** The height of a label. */
const LABEL_PX = 14;
/** A message that never arrived ends so far on its way. */
const LOST_SHARE = 0.62;
const LOST_PX = 26;
/** A longer arrow would lie flat on the lanes. */
const LONG_PX = 420;
const STUB_PX = 24;
/** With more votes in view, their counts would cover each other. */
const LABELLED_VOTES = 24;
const BUCKET_PX = 6;
/** A silence that long is named. */
const SILENCE_US = 5000;
const TICK_PX = 130;

export function draw(picture: Picture): void {
  const { context, layout, palette, player } = picture;
  const { widthPx, heightPx, gutterPx } = layout;
  context.clearRect(0, 0, widthPx, heightPx);
  context.textBaseline = 'middle';
  const places = player.timeline.within(layout.fromUs, layout.toUs);
  context.save();
  context.beginPath();
  context.rect(gutterPx, 0, widthPx - gutterPx, heightPx);
  context.clip();
  drawRuler(picture);
  for (const [at, lane] of player.timeline.lanes.entries()) drawLane(picture, lane, at);
  drawCuts(picture);
  if (places.length > MOST_ARROWS) drawDensity(picture, places);
  else drawArrows(picture, places);
  const votes = places.filter((place) => player.timeline.events[place]?.kind === 'vote').length;
  for (const place of places) {
    const event = player.timeline.events[place];
    if (event === undefined || event.kind === 'message') continue;
    drawMark(picture, event, place === player.chosen, votes <= LABELLED_VOTES);
  }
  drawFuture(picture);
  const chosen = player.chosenEvent;
  if (chosen?.kind === 'message') drawArrow(picture, chosen, true);
  context.restore();
  drawLabels(picture);
  context.fillStyle = palette.line;
  context.fillRect(gutterPx - 1, 0, 1, heightPx);
}

function drawRuler({ context, layout, palette, player }: Picture): void {
  const { gutterPx, widthPx, heightPx, rulerPx } = layout;
  context.font = `12px ${palette.font}`;
  drawSilences({ context, layout, palette, player });
  context.textAlign = 'left';
  let lastText = '';
  for (let x = gutterPx + 8; x < widthPx; x += TICK_PX) {
    const us = layout.usAt(x);
    if (us < player.timeline.startUs || us > player.timeline.endUs) continue;
    const text = timeText(us - player.timeline.startUs);
    if (text === lastText || x + 4 + context.measureText(text).width > widthPx) continue;
    lastText = text;
    context.fillStyle = palette.line;
    context.fillRect(x, rulerPx - 12, 1, heightPx - rulerPx);
    context.fillStyle = palette.soft;
    context.fillText(text, x + 4, rulerPx - 9);
  }
}

/** In even steps, long silences look short: they are named. */
function drawSilences({ context, layout, palette, player }: Picture): void {
  if (!player.isEven || player.scale < 8) return;
  const first = Math.max(0, Math.floor(layout.unitAt(layout.gutterPx)));
  const last = Math.min(player.axis.units, Math.ceil(layout.unitAt(layout.widthPx)));
  context.textAlign = 'center';
  context.font = `11px ${palette.font}`;
  let labelledTo = 0;
  const labels: { text: string; x: number }[] = [];
  for (let unit = first; unit < last; unit++) {
    const us = player.axis.usOf(unit + 1) - player.axis.usOf(unit);
    if (us < SILENCE_US) continue;
    const x = layout.xOfUnit(unit);
    const width = player.scale;
    context.fillStyle = palette.raised;
    context.fillRect(x + 2, layout.rulerPx, width - 4, layout.heightPx - layout.rulerPx);
    const text = `+ ${timeText(us)}`;
    const half = context.measureText(text).width / 2;
    if (x + width / 2 - half < labelledTo) continue;
    labelledTo = x + width / 2 + half + 4;
    labels.push({ text, x: x + width / 2 });
  }
  // Above all bands: a label may be wider than its own.
  context.fillStyle = palette.soft;
  for (const { text, x } of labels) context.fillText(text, x, layout.heightPx - 9);
}

function drawLane({ context, layout, palette }: Picture, lane: Lane, at: number): void {
  const y = layout.y(at);
  const lives: readonly LifeSpan[] =
    lane.life.length > 0 ? lane.life : [{ fromUs: 0, toUs: Number.MAX_SAFE_INTEGER, life: 'up' }];
  const isInView = ({ fromUs, toUs }: { fromUs: number; toUs: number }) =>
    fromUs <= layout.toUs && toUs >= layout.fromUs;
  for (const role of lane.roles.filter(isInView)) drawRole({ context, layout, palette }, role, y);
  for (const { fromUs, toUs, life } of lives.filter(isInView)) {
    const from = Math.max(layout.gutterPx, layout.x(fromUs));
    const to = Math.min(layout.widthPx, layout.x(toUs));
    if (to < from) continue;
    context.strokeStyle = life === 'down' ? palette.bad : life === 'up' ? palette.soft : palette.busy;
    context.lineWidth = life === 'up' ? 1.4 : life === 'down' ? 1 : 2;
    context.setLineDash(life === 'down' ? [1, 7] : life === 'up' ? [] : [7, 5]);
    line(context, from, y, to, y);
    context.setLineDash([]);
    if (life === 'down' || life === 'stopped') {
      context.fillStyle = life === 'down' ? palette.badGround : palette.raised;
      context.globalAlpha = 0.5;
      context.fillRect(from, y - layout.lanePx * 0.36, to - from, layout.lanePx * 0.72);
      context.globalAlpha = 1;
      const text = life === 'down' ? 'down' : 'stopped';
      if (to - from > 60) tag({ context, palette }, text, from + 14, y - layout.lanePx * 0.25, palette.bad);
    }
  }
}

const LEADING: ReadonlySet<string> = new Set(['leader', 'active', 'primary']);

function drawRole(
  { context, layout, palette }: Pick<Picture, 'context' | 'layout' | 'palette'>,
  { fromUs, toUs, role, term }: RoleSpan,
  y: number,
): void {
  const from = Math.max(layout.gutterPx, layout.x(fromUs));
  const to = Math.min(layout.widthPx, layout.x(toUs));
  if (to <= from || !LEADING.has(role)) return;
  const half = Math.min(12, layout.lanePx * 0.24);
  context.fillStyle = palette.goodGround;
  context.fillRect(from, y - half, to - from, 2 * half);
  context.fillStyle = palette.good;
  context.fillRect(from, y - half, to - from, 2);
  const text = role === 'active' ? '★ active' : `★ ${role}, term ${term}`;
  if (to - from > 90) tag({ context, palette }, text, from + 6, y - half - 8, palette.good);
}

/** Below the lane of each process that somebody can't reach. */
function drawCuts({ context, layout, palette, player }: Picture): void {
  for (const { from, to, isBoth, isSlow, fromUs, toUs } of player.timeline.cuts) {
    if (toUs < layout.fromUs || fromUs > layout.toUs) continue;
    const left = Math.max(layout.gutterPx, layout.x(fromUs));
    const right = Math.min(layout.widthPx, layout.x(toUs));
    if (right <= left) continue;
    context.strokeStyle = isSlow ? palette.busy : palette.bad;
    context.lineWidth = 2;
    context.setLineDash(isSlow ? [2, 4] : [10, 6]);
    for (const process of isBoth ? [from, to] : [to]) {
      const y = layout.yOf(process) + layout.lanePx * 0.3;
      line(context, left, y, right, y);
    }
    context.setLineDash([]);
  }
}

function drawArrows(picture: Picture, places: readonly number[]): void {
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

function drawArrow({ context, layout, palette, player }: Picture, event: MessageEvent, isChosen: boolean): void {
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
function drawDensity({ context, layout, palette, player }: Picture, places: readonly number[]): void {
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

const SIGNS: Readonly<Record<string, string>> = {
  starts: '↑',
  runs: '●',
  ends: '×',
  crashes: '✕',
  'loses power': '⚡',
  stops: '‖',
  'goes on': '▸',
};

function drawMark(picture: Picture, event: RecordedEvent, isChosen: boolean, isLabelled: boolean): void {
  const { context, layout, palette } = picture;
  const x = layout.x(event.t);
  if (event.kind === 'note' && event.level === 'mark') {
    context.strokeStyle = palette.odd;
    context.lineWidth = isChosen ? 3 : 1.5;
    context.setLineDash([4, 4]);
    line(context, x, 22, x, layout.heightPx);
    context.setLineDash([]);
    tag(picture, event.text, x + 4, 13, palette.odd, true);
    return;
  }
  if (event.kind === 'link' || event.kind === 'message' || event.kind === 'term' || event.kind === 'role') {
    if (isChosen) ring(context, x, layout.yOf('process' in event ? event.process : event.to), 11, palette.ink);
    return;
  }
  if (event.process === undefined) {
    if (isChosen) ring(context, x, layout.rulerPx + 4, 6, palette.ink);
    return;
  }
  const y = layout.yOf(event.process);
  if (isChosen) ring(context, x, y, 14, palette.ink);
  if (event.kind === 'state') {
    badge(picture, SIGNS[event.state] ?? '?', x, y, isLoss(event) ? palette.bad : palette.good);
  } else if (event.kind === 'election') {
    badge(picture, '▲', x, y, palette.odd);
    tag(picture, `asks for votes, term ${event.term}`, x + 13, y - 13, palette.odd);
  } else if (event.kind === 'vote') {
    const colour = isAgreed(event) ? palette.good : palette.bad;
    diamond(context, x, y, 8, colour);
    if (isLabelled) tag(picture, `${agreeing(event)} of ${event.ballots.length}`, x + 10, y + 11, colour, true);
  } else if (event.level === 'warn' || event.level === 'error') {
    badge(picture, '!', x, y, event.level === 'error' ? palette.bad : palette.busy);
  } else {
    context.fillStyle = palette.soft;
    context.fillRect(x - 0.5, y - 5, 1, 10);
  }
}

function drawFuture({ context, layout, palette, player }: Picture): void {
  const x = layout.x(player.us);
  context.fillStyle = palette.surface;
  context.globalAlpha = 0.62;
  context.fillRect(x + 1, 0, layout.widthPx - x, layout.heightPx);
  context.globalAlpha = 1;
  context.fillStyle = palette.accent;
  context.fillRect(x - 1, 24, 2, layout.heightPx);
  context.beginPath();
  context.moveTo(x - 7, 22);
  context.lineTo(x + 7, 22);
  context.lineTo(x, 32);
  context.fill();
}

/** Names, and what each process is at the position. */
function drawLabels({ context, layout, palette, player }: Picture): void {
  context.textAlign = 'left';
  for (const [at, { lane, life, role, term }] of player.timeline.statesAt(player.us).entries()) {
    const y = layout.y(at);
    const words = [life === 'up' ? '' : life, role ?? '', term === null ? '' : `term ${term}`];
    const about = words.filter((word) => word !== '').join(', ');
    context.font = `600 14px ${palette.font}`;
    context.fillStyle = life === 'down' ? palette.bad : palette.ink;
    const room = layout.gutterPx - 14;
    context.fillText(lane.name, 4, about === '' ? y : y - 8, room);
    context.font = `12px ${palette.font}`;
    context.fillStyle =
      life === 'down' ? palette.bad : role !== null && LEADING.has(role) ? palette.good : palette.soft;
    if (about !== '') context.fillText(about, 4, y + 9, room);
  }
}

/** Words on a ground of their own, so that they can be read above lines. */
function tag(
  { context, palette }: Pick<Picture, 'context' | 'palette'>,
  text: string,
  x: number,
  y: number,
  colour: string,
  isStrong = false,
): void {
  context.textAlign = 'left';
  context.font = `${isStrong ? '600 ' : ''}12px ${palette.font}`;
  const { width } = context.measureText(text);
  context.fillStyle = palette.surface;
  context.globalAlpha = 0.85;
  context.fillRect(x - 3, y - 8, width + 6, 16);
  context.globalAlpha = 1;
  context.fillStyle = colour;
  context.fillText(text, x, y);
}

function badge({ context, palette }: Picture, sign: string, x: number, y: number, colour: string): void {
  dot(context, x, y, 10, colour);
  context.font = `700 12px ${palette.font}`;
  context.textAlign = 'center';
  context.fillStyle = palette.surface;
  context.fillText(sign, x, y + 0.5);
}

function line(context: CanvasRenderingContext2D, fromX: number, fromY: number, toX: number, toY: number): void {
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
}

function head(
  context: CanvasRenderingContext2D,
  fromX: number,
  fromY: number,
  toX: number,
  toY: number,
  size: number,
): void {
  const angle = Math.atan2(toY - fromY, toX - fromX);
  context.beginPath();
  context.moveTo(toX, toY);
  for (const side of [-0.42, 0.42]) {
    context.lineTo(toX - Math.cos(angle + side) * size, toY - Math.sin(angle + side) * size);
  }
  context.fill();
}

function cross(context: CanvasRenderingContext2D, x: number, y: number, size: number): void {
  line(context, x - size, y - size, x + size, y + size);
  line(context, x - size, y + size, x + size, y - size);
}

function dot(context: CanvasRenderingContext2D, x: number, y: number, radius: number, colour?: string): void {
  if (colour !== undefined) context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

function ring(context: CanvasRenderingContext2D, x: number, y: number, radius: number, colour: string): void {
  context.strokeStyle = colour;
  context.lineWidth = 2.5;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}

function diamond(context: CanvasRenderingContext2D, x: number, y: number, size: number, colour: string): void {
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(x, y - size);
  context.lineTo(x + size, y);
  context.lineTo(x, y + size);
  context.lineTo(x - size, y);
  context.fill();
}
