// The events around the position as text: what the diagram shows, for readers of text.
import { useEffect, useRef } from 'preact/hooks';
import { headline, isLoss, timeText } from '../../recording/sentences.js';
import { useStore } from '../live/store.js';
import { countText } from '../parts/figures.js';
import type { Player } from './player.js';

/** Lines before and after the position. */
const BEFORE = 12;
const AFTER = 28;

export function EventList({ player }: { player: Player }) {
  useStore(player.words);
  const list = useRef<HTMLOListElement>(null);
  const { timeline } = player;
  const at = player.chosen ?? timeline.placeAt(player.us);
  const first = Math.max(0, Math.min(at - BEFORE, timeline.events.length - BEFORE - AFTER));
  const shown = timeline.events.slice(first, first + BEFORE + AFTER);
  const current = list.current?.querySelector('[aria-current]');
  useEffect(() => {
    const element = list.current?.querySelector<HTMLElement>('[aria-current], .is-next');
    const box = list.current;
    if (element == null || box === null) return;
    const top = element.offsetTop - box.offsetTop;
    if (top < box.scrollTop || top > box.scrollTop + box.clientHeight - 60) box.scrollTop = Math.max(0, top - 90);
  }, [at, current]);
  return (
    <section class="panel replay-list" aria-label="Events around the position">
      <h2>
        Events <span class="soft">{countText(timeline.events.length)} in all</span>
      </h2>
      <ol ref={list}>
        {shown.map((event, offset) => {
          const place = first + offset;
          const isChosen = place === player.chosen;
          const kind =
            event.kind === 'note' ? `note ${event.level}` : isLoss(event) ? `${event.kind} is-loss` : event.kind;
          const isAhead = event.t > player.us;
          return (
            <li key={place}>
              <button
                type="button"
                class={`${kind} ${isAhead ? 'is-ahead' : ''} ${place === at ? 'is-next' : ''}`}
                aria-current={isChosen ? 'true' : undefined}
                onClick={() => player.choose(place)}
              >
                <span class="replay-when">{timeText(event.t - timeline.startUs)}</span>
                <span class="replay-what">{headline(event)}</span>
              </button>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
