// The space-time diagram: a line for each process, messages as arrows, time to the right. Only what is in view is drawn.
import { useEffect, useRef, useState } from 'preact/hooks';
import { draw } from './draw.js';
import { Layout } from './layout.js';
import { type Palette, paletteOf } from './palette.js';
import { pick } from './pick.js';
import type { Player } from './player.js';

interface Props {
  player: Player;
  onKeyDown: (event: KeyboardEvent) => void;
}

export function Diagram({ player, onKeyDown }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const palette = useRef<Palette | null>(null);

  useEffect(() => {
    const element = canvas.current?.parentElement;
    if (element == null) return;
    const resized = new ResizeObserver(() => setWidth(element.clientWidth));
    resized.observe(element);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    const recolour = (): void => {
      palette.current = null;
      player.frames.value++;
    };
    scheme.addEventListener('change', recolour);
    return () => {
      resized.disconnect();
      scheme.removeEventListener('change', recolour);
    };
  }, [player]);

  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext('2d');
    if (element === null || context == null || width === 0) return;
    let frame = 0;
    const show = (nowMs: number): void => {
      frame = 0;
      player.tick(nowMs);
      const layout = new Layout(player, width);
      const ratio = devicePixelRatio;
      if (element.width !== Math.round(width * ratio) || element.height !== Math.round(layout.heightPx * ratio)) {
        element.width = Math.round(width * ratio);
        element.height = Math.round(layout.heightPx * ratio);
        element.style.height = `${layout.heightPx}px`;
      }
      palette.current ??= paletteOf(element);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      draw({ context, player, layout, palette: palette.current });
      if (player.isPlaying) ask();
    };
    const ask = (): void => {
      if (frame === 0) frame = requestAnimationFrame(show);
    };
    ask();
    const forget = player.frames.listen(ask);
    return () => {
      forget();
      cancelAnimationFrame(frame);
    };
  }, [player, width]);

  const onClick = (event: MouseEvent): void => {
    const layout = new Layout(player, width);
    const place = pick(player, layout, event.offsetX, event.offsetY);
    player.pause();
    if (place !== null) player.choose(place);
    else if (event.offsetX > layout.gutterPx) player.seek(layout.usAt(event.offsetX));
  };

  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms, and this is a picture
    // biome-ignore lint/a11y/noNoninteractiveTabindex: arrows move the position while this has the focus
    <div class="diagram" role="group" tabIndex={0} onKeyDown={onKeyDown} aria-label={HELP}>
      <div aria-hidden="true">
        <canvas ref={canvas} onClick={onClick} />
      </div>
    </div>
  );
}

const HELP =
  'Space-time diagram. Right and left: the next event and the one before. With Shift: of the chosen kind. Space: play. ' +
  'Plus and minus: zoom. The events in view are in the list below.';
