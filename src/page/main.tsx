// The beginning of the page.
import { render } from 'preact';
import { listen } from './live/live.js';
import { Shell } from './shell.js';
import 'uplot/dist/uPlot.min.css';
import './style/page.css';
import './style/cluster.css';
import './style/files.css';
import './style/events.css';
import './style/faults.css';
import './style/replay.css';

const page = document.getElementById('page');
// From a file, or served for a recording: there is no cluster behind it.
const isAlone = location.protocol === 'file:' || page?.dataset.alone !== undefined;
if (page !== null) {
  page.replaceChildren();
  render(<Shell isAlone={isAlone} />, page);
}
if (!isAlone) listen();
