// The frame around the views: navigation, what the connection is like, and the
// view that the address names.
import type { ComponentType } from 'preact';
import { useEffect, useErrorBoundary, useState } from 'preact/hooks';
import { connection, snapshots } from './live/live.js';
import { linkTo, place } from './live/place.js';
import { useStore } from './live/store.js';
import { timeText } from './parts/figures.js';
import { StateMark } from './parts/state-mark.js';
import { type Origin, VIEWS } from './views.js';

/** @param isAlone the page was opened from a file, and there is no server */
export function Shell({ isAlone }: { isAlone: boolean }) {
  const { view } = useStore(place);
  const snapshot = useStore(snapshots);
  const origin: Origin = isAlone ? 'file' : snapshot?.role === 'catalog' ? 'catalog' : 'mediator';
  const views = VIEWS.filter(({ at }) => at.includes(origin));
  const shown = views.find(({ name }) => name === view) ?? views[0];
  useEffect(() => {
    document.title = `${shown?.title ?? ''} · nmrfs`;
  }, [shown]);
  return (
    <>
      <button class="skip" type="button" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the view
      </button>
      <header class="bar">
        <a class="brand" href={linkTo(views[0]?.name ?? '')} aria-label="nmrfs, to the first view">
          <img src="icon.svg" alt="" width="26" height="26" />
          <span aria-hidden="true">nmrfs</span>
        </a>
        <nav aria-label="Views">
          {views.map(({ name, title }) => (
            <a key={name} href={linkTo(name)} aria-current={name === shown?.name ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
        {isAlone ? null : <ConnectionState />}
      </header>
      {isAlone ? null : <Notices />}
      <main id="main" tabIndex={-1}>
        {shown === undefined ? null : <Guarded key={shown.name} View={shown.View} />}
      </main>
    </>
  );
}

/** A view that fails is a line, and not a blank page; the browser's console has the rest. */
function Guarded({ View }: { View: ComponentType }) {
  const [error, again] = useErrorBoundary((thrown: unknown) => reportError(thrown));
  if (error === undefined) return <View />;
  return (
    <p class="failure" role="alert">
      This view has failed: {messageOf(error)}.{' '}
      <button type="button" onClick={again}>
        Show it again
      </button>
    </p>
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function ConnectionState() {
  const { state } = useStore(connection);
  const isLost = state === 'lost';
  return (
    <p class="connection" role="status">
      <StateMark mood={state === 'live' ? 'good' : isLost ? 'bad' : 'idle'}>
        {state === 'live' ? 'live' : isLost ? 'no connection' : 'connecting'}
      </StateMark>
    </p>
  );
}

/** What whoever looks must know before anything else. */
function Notices() {
  const current = useStore(connection);
  const snapshot = useStore(snapshots);
  if (current.state === 'lost') {
    return (
      <p class="notice bad" role="alert">
        The server has not been heard of since {timeText(current.sinceMs)}: what you see is as it was then. The page
        goes on trying, and catches up by itself.
      </p>
    );
  }
  if (snapshot?.role === 'troubled') {
    return (
      <p class="notice bad" role="alert">
        The server answers, and cannot say how things are: {snapshot.reason}.
      </p>
    );
  }
  if (snapshot?.role === 'standby') return <StandbyNotice />;
  return null;
}

function StandbyNotice() {
  const snapshot = useStore(snapshots);
  const [isFollowing, follow] = useState(false);
  const active = snapshot?.role === 'standby' ? snapshot.mediators.find(({ state }) => state === 'active') : undefined;
  const address = active === undefined ? null : `${location.protocol}//${active.address}/${location.hash}`;
  useEffect(() => {
    if (isFollowing && address !== null) location.assign(address);
  }, [isFollowing, address]);
  if (snapshot?.role !== 'standby') return null;
  return (
    <p class="notice busy" role="status">
      {snapshot.name} is a standby.{' '}
      {active === undefined || address === null ? (
        'No mediator is active just now; one of them takes over as soon as it can.'
      ) : (
        <>
          Files, events and faults are at the active mediator:{' '}
          <a href={address}>{`${active.name}, ${active.address}`}</a>.
        </>
      )}
      {active === undefined ? (
        <button type="button" onClick={() => follow(true)} disabled={isFollowing}>
          {isFollowing ? 'Waiting for it' : 'Go there when there is one'}
        </button>
      ) : null}
    </p>
  );
}
