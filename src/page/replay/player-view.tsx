// A recording that is open: controls, diagram, events, and the chosen one.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Recording } from '../../recording/reader.js';
import type { Jump } from '../../recording/sentences.js';
import { Controls } from './controls.js';
import { Details } from './details.js';
import { Diagram } from './diagram.js';
import { EventList } from './event-list.js';
import { Now } from './now.js';
import { Player } from './player.js';

interface Props {
  recording: Recording;
  /** Where a link leads. */
  startUs: number | undefined;
  /** Another one whenever a link was followed, be it the same. */
  followed: unknown;
  /** The address of a position, for links. */
  linkOf: (us: number) => string;
}

/** The address follows the position, but not more often than browsers allow. */
const ADDRESS_REST_MS = 300;

export function PlayerView({ recording, startUs, followed, linkOf }: Props) {
  const player = useMemo(() => new Player(recording, startUs), [recording]);
  const [jump, setJump] = useState<Jump>('crash');
  const keptLink = useRef(linkOf);
  keptLink.current = linkOf;

  useEffect(() => {
    if (startUs !== undefined && startUs !== player.us) player.seek(startUs);
  }, [startUs, followed]);

  useEffect(() => {
    let timer = 0;
    const forget = player.words.listen(() => {
      clearTimeout(timer);
      // Without an event: the view knows its own position.
      timer = window.setTimeout(() => {
        history.replaceState(null, '', keptLink.current(Math.round(player.us)));
      }, ADDRESS_REST_MS);
    });
    return () => {
      forget();
      clearTimeout(timer);
      player.isPlaying = false;
    };
  }, [player]);

  const onKeyDown = (event: KeyboardEvent): void => {
    const keys: Record<string, () => unknown> = {
      ArrowRight: () => (event.shiftKey ? player.jump(jump, 1) : player.step(1)),
      ArrowLeft: () => (event.shiftKey ? player.jump(jump, -1) : player.step(-1)),
      ' ': () => (player.isPlaying ? player.pause() : player.play()),
      Home: () => player.seek(player.timeline.startUs),
      End: () => player.seek(player.timeline.endUs),
      '+': () => player.mayZoomIn && player.set({ zoom: player.zoom + 1 }),
      '-': () => player.mayZoomOut && player.set({ zoom: player.zoom - 1 }),
    };
    const action = keys[event.key];
    if (action === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  };

  return (
    <>
      <Controls player={player} jump={jump} setJump={setJump} />
      {recording.problem === null ? null : (
        <p class="failure" role="alert">
          {recording.problem}
        </p>
      )}
      <Diagram player={player} onKeyDown={onKeyDown} />
      <Legend />
      <div class="replay-below">
        <EventList player={player} />
        <div class="replay-side">
          <Details player={player} />
          <Now player={player} />
        </div>
      </div>
    </>
  );
}

function Legend() {
  return (
    <ul class="replay-legend row soft" aria-label="Signs of the diagram">
      <li class="request">→ message</li>
      <li>→ answer</li>
      <li class="odd">→ election</li>
      <li class="bad">⇢ ✕ lost</li>
      <li class="good">★ leads</li>
      <li class="odd">▲ asks for votes</li>
      <li class="good">◆ vote</li>
      <li class="bad">✕ crash, ⚡ power lost</li>
      <li class="bad">‖ stopped</li>
      <li class="bad">╌ cut off</li>
      <li>! warning in the log</li>
    </ul>
  );
}
