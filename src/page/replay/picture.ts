// What everything is drawn on that belongs to one picture of a recording, and words on it.
import type { Layout } from './layout.js';
import type { Palette } from './palette.js';
import type { Player } from './player.js';
import { dot } from './shapes.js';

export interface Picture {
  context: CanvasRenderingContext2D;
  player: Player;
  layout: Layout;
  palette: Palette;
}

/** Words on a ground of their own, so that they can be read above lines. */
export function tag(
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

export function badge({ context, palette }: Picture, sign: string, x: number, y: number, colour: string): void {
  dot(context, x, y, 10, colour);
  context.font = `700 12px ${palette.font}`;
  context.textAlign = 'center';
  context.fillStyle = palette.surface;
  context.fillText(sign, x, y + 0.5);
}
