// What each process is at the position, and who can't reach whom.
import { useStore } from '../live/store.js';
import { type Mood, StateMark } from '../parts/state-mark.js';
import type { Player } from './player.js';

const MOODS: Readonly<Record<string, Mood>> = { up: 'good', starting: 'busy', stopped: 'busy', down: 'bad' };

export function Now({ player }: { player: Player }) {
  useStore(player.words);
  // Of clients nothing but their messages is known.
  const states = player.timeline
    .statesAt(player.us)
    .filter(({ lane }) => lane.kind !== 'client' || lane.life.length > 0);
  const cuts = player.timeline.cutsAt(player.us);
  const hasTerms = states.some(({ role, term }) => role !== null || term !== null);
  return (
    <section class="panel replay-now" aria-label="At this moment">
      <h2>At this moment</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Process</th>
            <th scope="col">State</th>
            {hasTerms ? <th scope="col">Role</th> : null}
            {hasTerms ? <th scope="col">Term</th> : null}
          </tr>
        </thead>
        <tbody>
          {states.map(({ lane, life, role, term }) => (
            <tr key={lane.name}>
              <th scope="row">{lane.name}</th>
              <td>
                <StateMark mood={MOODS[life] ?? 'idle'}>{life}</StateMark>
              </td>
              {hasTerms ? <td>{role ?? ''}</td> : null}
              {hasTerms ? <td>{term ?? ''}</td> : null}
            </tr>
          ))}
        </tbody>
      </table>
      {cuts.length === 0 ? null : (
        <ul class="replay-cuts">
          {cuts.map(({ from, to, isBoth, isSlow }) => (
            <li key={`${from} ${to} ${isSlow}`}>
              <span aria-hidden="true">{isSlow ? '⧖' : '✂'}</span>{' '}
              {isSlow
                ? `${from} and ${to}: slow`
                : isBoth
                  ? `${from} and ${to}: nothing passes`
                  : `nothing comes to ${to} from ${from}`}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
