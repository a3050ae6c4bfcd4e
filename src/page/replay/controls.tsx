// Play, pause, step, jump, zoom, and what is hidden.
import { useState } from 'preact/hooks';
import { JUMPS, type Jump, timeText } from '../../recording/sentences.js';
import { useStore } from '../live/store.js';
import { type Player, SPEEDS } from './player.js';

interface Props {
  player: Player;
  jump: Jump;
  setJump: (jump: Jump) => void;
}

const RANGE_STEPS = 1000;

export function Controls({ player, jump, setJump }: Props) {
  useStore(player.words);
  const [isNone, setNone] = useState(false);
  const go = (direction: 1 | -1): void => setNone(!player.jump(jump, direction));
  const { startUs, endUs } = player.timeline;
  const share = Math.round(((player.us - startUs) / (endUs - startUs)) * RANGE_STEPS);
  return (
    <div class="replay-controls">
      <div class="row">
        <button
          class="main play"
          type="button"
          onClick={() => (player.isPlaying ? player.pause() : player.play())}
          title="Space"
        >
          {player.isPlaying ? '‖ Pause' : '▶ Play'}
        </button>
        <button type="button" onClick={() => player.step(-1)} title="Left arrow" aria-label="Step back">
          ◂ Step
        </button>
        <button type="button" onClick={() => player.step(1)} title="Right arrow" aria-label="Step forward">
          Step ▸
        </button>
        <label class="row">
          <span>Speed</span>
          <select
            value={String(player.speed)}
            onChange={(event) => player.set({ speed: Number(event.currentTarget.value) })}
          >
            {SPEEDS.map((speed) => (
              <option key={speed} value={String(speed)}>
                {player.isEven ? `${speed} events a second` : `${speed} ms a second`}
              </option>
            ))}
          </select>
        </label>
        <span class="replay-jump row">
          <button type="button" onClick={() => go(-1)} aria-label={`Previous: ${JUMPS[jump][0]}`} title="Shift, left">
            ◂◂
          </button>
          <select
            aria-label="Kind of event to go to"
            value={jump}
            onChange={(event) => {
              setNone(false);
              setJump(event.currentTarget.value as Jump);
            }}
          >
            {Object.entries(JUMPS).map(([name, [title]]) => (
              <option key={name} value={name}>
                {title}
              </option>
            ))}
          </select>
          <button type="button" onClick={() => go(1)} aria-label={`Next: ${JUMPS[jump][0]}`} title="Shift, right">
            ▸▸
          </button>
          <span role="status" class="soft">
            {isNone ? 'There is none that way.' : ''}
          </span>
        </span>
      </div>
      <div class="row replay-position">
        <input
          type="range"
          min="0"
          max={RANGE_STEPS}
          value={share}
          aria-label="Position"
          aria-valuetext={`${timeText(player.us - startUs)} of ${timeText(endUs - startUs)}`}
          onInput={(event) => {
            player.pause();
            player.seek(startUs + (Number(event.currentTarget.value) / RANGE_STEPS) * (endUs - startUs));
          }}
        />
        <output class="replay-time">
          {timeText(player.us - startUs)} <span class="soft">of {timeText(endUs - startUs)}</span>
        </output>
      </div>
      <Looks player={player} />
    </div>
  );
}

function Looks({ player }: { player: Player }) {
  const { filters } = player;
  return (
    <div class="row replay-looks">
      <span class="row">
        <button
          type="button"
          onClick={() => player.set({ zoom: player.zoom - 1 })}
          disabled={!player.mayZoomOut}
          aria-label="Zoom out"
          title="Minus"
        >
          −
        </button>
        <button
          type="button"
          onClick={() => player.set({ zoom: player.zoom + 1 })}
          disabled={!player.mayZoomIn}
          aria-label="Zoom in"
          title="Plus"
        >
          +
        </button>
        <label class="row">
          <span>Time</span>
          <select
            value={player.isEven ? 'even' : 'true'}
            onChange={(event) => player.set({ isEven: event.currentTarget.value === 'even' })}
          >
            <option value="even">in even steps</option>
            <option value="true">true to scale</option>
          </select>
        </label>
      </span>
      <label class="check">
        <input
          type="checkbox"
          checked={filters.hidesSteady}
          onChange={(event) => player.filter({ hidesSteady: event.currentTarget.checked })}
        />
        Hide heartbeats and questions for status
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={filters.hidesReplies}
          onChange={(event) => player.filter({ hidesReplies: event.currentTarget.checked })}
        />
        Hide answers
      </label>
      <label class="row">
        <span>Only messages with</span>
        <input
          type="text"
          size={12}
          value={filters.text}
          placeholder="append, s2 …"
          onInput={(event) => player.filter({ text: event.currentTarget.value })}
        />
      </label>
    </div>
  );
}
