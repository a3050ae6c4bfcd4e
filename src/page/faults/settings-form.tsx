// Qr, Qw and audit, changed while all run. nmrfs config set would keep them in the
// configuration file; this does not.
import type { ClusterSnapshot } from '../../protocol/page/messages.js';
import { change } from '../live/ask.js';
import { ChangeOutcome } from './change-outcome.js';
import { useChange } from './use-change.js';

export function SettingsForm({ cluster }: { cluster: ClusterSnapshot }) {
  const state = useChange();
  const { readQuorum, writeQuorum, audit, dataservers } = cluster;
  const numbers = dataservers.map((_, at) => String(at + 1));
  const choice = (
    key: 'readQuorum' | 'writeQuorum' | 'audit',
    label: string,
    value: string,
    options: readonly string[],
  ) => (
    <label class="check" for={`set-${key}`}>
      {label}
      <select
        id={`set-${key}`}
        value={value}
        disabled={state.underWay !== null}
        onChange={({ currentTarget }) => {
          const wanted = currentTarget.value;
          // What holds is shown until the mediator says otherwise.
          currentTarget.value = value;
          state.make(`Setting ${label} to ${wanted}`, async () => {
            await change.configure(key, wanted);
            return `${label} is ${wanted} until the mediator ends.`;
          });
        }}
      >
        {options.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <section class="panel stack" aria-labelledby="settings">
      <h2 id="settings">Settings</h2>
      <div class="row">
        {choice('readQuorum', 'Qr', String(readQuorum), numbers)}
        {choice('writeQuorum', 'Qw', String(writeQuorum), numbers)}
        {choice('audit', 'audit', audit, ['all', 'quorum'])}
      </div>
      <p class="soft">Qr + Qw must be more than N. «nmrfs config set» changes them for good.</p>
      <ChangeOutcome {...state} />
    </section>
  );
}
