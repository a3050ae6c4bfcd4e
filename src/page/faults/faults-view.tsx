// Test hooks as buttons, and what follows, live.
import { useState } from 'preact/hooks';
import { EventList } from '../events/event-list.js';
import { useEvents } from '../events/use-events.js';
import { clusters } from '../live/live.js';
import { linkTo } from '../live/place.js';
import { useStore } from '../live/store.js';
import { BlockFaults } from './block-faults.js';
import { GuidedRuns } from './guided-runs.js';
import { ServerFaults } from './server-faults.js';
import { SettingsForm } from './settings-form.js';

const SHOWN_EVENTS = 12;

export function FaultsView() {
  const snapshot = useStore(clusters);
  if (snapshot === null) {
    return <p class="empty">Waiting for the mediator.</p>;
  }
  if (snapshot.role === 'standby') {
    return <p class="empty">Faults are made at the active mediator.</p>;
  }
  if (!snapshot.testHooks) {
    return (
      <div class="stack">
        <h1>Faults</h1>
        <p class="panel">
          Test hooks are off in this cluster, so nothing can be harmed from here. «testHooks: true» in the configuration
          allows it; the servers need a restart then. «nmrfs init» makes a cluster on this machine to play with.
        </p>
      </div>
    );
  }
  return (
    <div class="faults">
      <h1>Faults</h1>
      <div class="faults-split">
        <div class="stack">
          <ServerFaults cluster={snapshot} />
          <SettingsForm cluster={snapshot} />
          <BlockFaults cluster={snapshot} />
          <GuidedRuns cluster={snapshot} />
        </div>
        <WhatFollows />
      </div>
    </div>
  );
}

function WhatFollows() {
  const [sinceMs] = useState(() => (clusters.value?.timeMs ?? Date.now()) - 1000);
  const { events } = useEvents({}, sinceMs);
  return (
    <section class="follows stack" aria-labelledby="follows">
      <h2 id="follows">What follows</h2>
      {events.length === 0 ? <p class="soft">Nothing has happened since this view was opened.</p> : null}
      <EventList events={events.slice(0, SHOWN_EVENTS)} />
      {events.length > SHOWN_EVENTS ? (
        <p>
          <a href={linkTo('events')}>All events</a>
        </p>
      ) : null}
    </section>
  );
}
