// Replaces a block's stored bytes on chosen replicas, differently on each.
import { useState } from 'preact/hooks';
import { listed } from '../../explain/words.js';
import type { PageDataServer } from '../../protocol/page/messages.js';
import { change } from '../live/ask.js';
import { ChangeOutcome } from './change-outcome.js';
import { useChange } from './use-change.js';

interface Props {
  inode: number;
  index: number;
  servers: readonly PageDataServer[];
  /** Its replicas hold other bytes now. */
  done: () => void;
}

export function CorruptForm({ inode, index, servers, done }: Props) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const state = useChange();
  const names = servers.map(({ name }) => name).filter((name) => chosen.has(name));
  const toggle = (name: string): void => {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    setChosen(next);
  };
  const corrupt = (): void =>
    state.make(`Corrupting block ${index} on ${listed(names)}`, async () => {
      await change.corrupt(inode, names, index);
      done();
      return `Block ${index} was corrupted on ${listed(names)}.`;
    });
  return (
    <form
      class="panel stack"
      onSubmit={(event) => {
        event.preventDefault();
        corrupt();
      }}
    >
      <fieldset>
        <legend>Corrupt this block on</legend>
        <div class="row">
          {servers.map(({ name, state: word }) => (
            <label key={name} class="check">
              <input
                type="checkbox"
                name={name}
                checked={chosen.has(name)}
                disabled={word === 'down'}
                onChange={() => toggle(name)}
              />
              {name}
            </label>
          ))}
        </div>
      </fieldset>
      <div class="row">
        <button type="submit" class="harm" disabled={names.length === 0 || state.underWay !== null}>
          Corrupt
        </button>
        <ChangeOutcome {...state} />
      </div>
    </form>
  );
}
