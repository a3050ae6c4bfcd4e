// Where the reader is: the part of the address behind the #, such as
// #/files/a%20folder?block=3. A link holds the place, and the browser's back
// button goes back.
import { Store } from './store.js';

export interface Place {
  /** cluster, files … */
  view: string;
  /** What follows the view, as it is written in the address. */
  rest: string;
  query: URLSearchParams;
}

export const place = new Store<Place>(read());

function read(): Place {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const slash = path.indexOf('/');
  const view = slash < 0 ? path : path.slice(0, slash);
  return { view, rest: slash < 0 ? '' : path.slice(slash), query: new URLSearchParams(query) };
}

addEventListener('hashchange', () => {
  place.value = read();
});

/** The address of a place, for links. */
export function linkTo(view: string, rest = '', query: Record<string, string> = {}): string {
  const text = new URLSearchParams(query).toString();
  return `#/${view}${rest}${text === '' ? '' : `?${text}`}`;
}

/** Goes there in place of where the reader is: the back button does not come back to each step. */
export function moveTo(link: string): void {
  history.replaceState(null, '', link);
  place.value = read();
}
