// What can be done to each server's process.
import type { ClusterSnapshot } from '../../protocol/page/messages.js';
import { change } from '../live/ask.js';
import { type Mood, StateMark } from '../parts/state-mark.js';
import { ChangeOutcome } from './change-outcome.js';
import { useChange } from './use-change.js';

interface Server {
  name: string;
  word: string;
  mood: Mood;
  isUp: boolean;
  canBeBlank: boolean;
}

export function ServerFaults({ cluster }: { cluster: ClusterSnapshot }) {
  const state = useChange();
  return (
    <section class="panel stack" aria-labelledby="processes">
      <h2 id="processes">Processes</h2>
      <table class="processes">
        <caption class="hidden">Servers, and what can be done to their processes</caption>
        <thead>
          <tr>
            <th scope="col">Server</th>
            <th scope="col">State</th>
            <th scope="col">Its process</th>
          </tr>
        </thead>
        <tbody>
          {serversOf(cluster).map((server) => (
            <Row key={server.name} server={server} isSupervised={cluster.isSupervised} make={state.make} />
          ))}
        </tbody>
      </table>
      <ChangeOutcome {...state} />
    </section>
  );
}

interface RowProps {
  server: Server;
  isSupervised: boolean;
  make: ReturnType<typeof useChange>['make'];
}

function Row({ server: { name, word, mood, isUp, canBeBlank }, isSupervised, make }: RowProps) {
  const button = (label: string, doing: string, done: string, action: () => Promise<unknown>, isOff = false) => (
    <button
      type="button"
      aria-label={`${label} ${name}`}
      disabled={isOff}
      onClick={() =>
        make(`${doing} ${name}`, async () => {
          await action();
          return `${name} ${done}.`;
        })
      }
    >
      {label}
    </button>
  );
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>
        <StateMark mood={mood}>{word}</StateMark>
      </td>
      <td>
        <span class="row">
          {button('Terminate', 'Terminating', 'was terminated', () => change.terminate(name), !isUp)}
          {isSupervised ? button('Stop', 'Stopping', 'was stopped where it is', () => change.hold(name, true)) : null}
          {isSupervised ? button('Continue', 'Continuing', 'goes on', () => change.hold(name, false)) : null}
          {button('Restart', 'Restarting', 'is back, its store kept', () => change.restart(name, false))}
          {canBeBlank
            ? button('Restart blank', 'Restarting', 'is back with an empty store', () => change.restart(name, true))
            : null}
        </span>
      </td>
    </tr>
  );
}

function serversOf({ dataservers, metaservers, isSupervised }: ClusterSnapshot): Server[] {
  const data = dataservers.map(({ name, state }) => ({
    ...{ name, word: state, canBeBlank: true, isUp: state !== 'down' },
    mood: state === 'up' ? ('good' as const) : state === 'down' ? ('bad' as const) : ('busy' as const),
  }));
  if (!isSupervised) return data;
  const meta = metaservers.map(({ name, state, role }) => ({
    ...{ name, word: state === 'down' ? 'down' : role, canBeBlank: metaservers.length > 1, isUp: state === 'up' },
    mood: state === 'up' ? ('good' as const) : ('bad' as const),
  }));
  return [...data, ...meta];
}
