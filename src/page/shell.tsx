// The frame around the views: navigation, what the connection is like, and the
// view that the address names.
import { useEffect } from 'preact/hooks';
import { connection } from './live/live.js';
import { linkTo, place } from './live/place.js';
import { useStore } from './live/store.js';
import { VIEWS } from './views.js';

/** @param isAlone the page was opened from a file, and there is no server */
export function Shell({ isAlone }: { isAlone: boolean }) {
  const { view } = useStore(place);
  const views = isAlone ? VIEWS.filter(({ worksAlone }) => worksAlone) : VIEWS;
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
        <nav aria-label="Views">
          {views.map(({ name, title }) => (
            <a key={name} href={linkTo(name)} aria-current={name === shown?.name ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
        {isAlone ? null : <ConnectionState />}
      </header>
      <main id="main" tabIndex={-1}>
        {shown === undefined ? null : <shown.View />}
      </main>
    </>
  );
}

function ConnectionState() {
  const { state } = useStore(connection);
  return <p role="status">{state}</p>;
}
