// Which event somebody points at.
import { arrowOf } from './arrows.js';
import type { Layout } from './layout.js';
import type { Player } from './player.js';

const NEAR_PX = 9;
/** What happened to a process is easier to hit than the arrows around it. */
const MARK_BONUS_PX = 4;

/** The place of the nearest event; null when there is none near. */
export function pick(player: Player, layout: Layout, x: number, y: number): number | null {
  const { timeline } = player;
  const places = timeline.within(layout.usAt(x - 300), layout.usAt(x + 40));
  let nearest: number | null = null;
  let least = NEAR_PX;
  for (const place of places) {
    const event = timeline.events[place];
    if (event === undefined) continue;
    let distance = Number.POSITIVE_INFINITY;
    if (event.kind === 'message') {
      const { fromX, fromY, toX, toY } = arrowOf(layout, event);
      distance = toSegment(x, y, fromX, fromY, toX, toY);
    } else if ('process' in event && event.process !== undefined) {
      distance = Math.hypot(x - layout.x(event.t), y - layout.yOf(event.process)) - MARK_BONUS_PX;
    } else if (y < layout.rulerPx || event.kind === 'link') distance = Math.abs(x - layout.x(event.t));
    if (distance < least) {
      least = distance;
      nearest = place;
    }
  }
  return nearest;
}

function toSegment(x: number, y: number, fromX: number, fromY: number, toX: number, toY: number): number {
  const lengthSquared = (toX - fromX) ** 2 + (toY - fromY) ** 2;
  const along = lengthSquared === 0 ? 0 : ((x - fromX) * (toX - fromX) + (y - fromY) * (toY - fromY)) / lengthSquared;
  const share = Math.max(0, Math.min(1, along));
  return Math.hypot(x - fromX - share * (toX - fromX), y - fromY - share * (toY - fromY));
}
