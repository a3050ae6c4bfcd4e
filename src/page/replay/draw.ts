// Draws the picture of a recording for one position: lanes, roles, cuts, messages, and what happened to processes.
import type { RecordedEvent } from '../../recording/format.js';
import { agreeing, isAgreed, isLoss, timeText } from '../../recording/sentences.js';
import type { Lane, LifeSpan, RoleSpan } from '../../recording/timeline.js';
import { drawArrow, drawArrows, drawDensity } from './arrows.js';
import { badge, type Picture, tag } from './picture.js';
import { diamond, line, ring } from './shapes.js';

/** More arrows than this are drawn as how many they are. */
const MOST_ARROWS = 4000;
/** With more votes in view, their counts would cover each other. */
const LABELLED_VOTES = 24;
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
