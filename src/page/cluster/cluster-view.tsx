// How the cluster is: what works, what it survives, and a card for each server.
import { snapshots } from '../live/live.js';
import { useStore } from '../live/store.js';

export function ClusterView() {
  const snapshot = useStore(snapshots);
  if (snapshot === null || snapshot.role === 'troubled') return <p>{snapshot?.reason}</p>;
  return (
    <ul>
      {snapshot.dataservers.map(({ name, state, blocks }) => (
        <li key={name}>
          {name}: {state}, {blocks} blocks
        </li>
      ))}
    </ul>
  );
}
