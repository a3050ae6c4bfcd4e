// The last ten minutes as curves.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import type { Sample } from '../../protocol/page/messages.js';
import { samples } from '../live/live.js';
import { useStore } from '../live/store.js';
import { durationText, rateText } from '../parts/figures.js';

type Series = { title: string; of: (sample: Sample) => number | null; colour: string };

interface Chart {
  title: string;
  series: readonly Series[];
  text: (value: number) => string;
}

const MEGABYTE = 1_000_000;
const perSecond = (value: number): string => rateText(value);

const CHARTS: readonly Chart[] = [
  {
    title: 'Reads and writes a second',
    text: perSecond,
    series: [
      { title: 'reads', of: ({ reads }) => reads, colour: '--curve-1' },
      { title: 'writes', of: ({ writes }) => writes, colour: '--curve-2' },
    ],
  },
  {
    title: 'Votes a second',
    text: perSecond,
    series: [{ title: 'votes', of: ({ votes }) => votes, colour: '--curve-1' }],
  },
  {
    title: 'Dissents and repairs a second',
    text: perSecond,
    series: [
      { title: 'dissents', of: ({ dissents }) => dissents, colour: '--curve-3' },
      { title: 'repairs', of: ({ repairs }) => repairs, colour: '--curve-1' },
    ],
  },
  {
    title: 'MB/s',
    text: perSecond,
    series: [
      { title: 'read', of: ({ readBytes }) => readBytes / MEGABYTE, colour: '--curve-1' },
      { title: 'written', of: ({ writeBytes }) => writeBytes / MEGABYTE, colour: '--curve-2' },
    ],
  },
  {
    title: 'Latency of reads',
    text: durationText,
    series: [
      { title: 'p50', of: ({ readP50 }) => readP50, colour: '--curve-1' },
      { title: 'p99', of: ({ readP99 }) => readP99, colour: '--curve-3' },
    ],
  },
  {
    title: 'Latency of writes',
    text: durationText,
    series: [
      { title: 'p50', of: ({ writeP50 }) => writeP50, colour: '--curve-2' },
      { title: 'p99', of: ({ writeP99 }) => writeP99, colour: '--curve-3' },
    ],
  },
];

const SPAN_S = 600;
const HEIGHT = 130;
/** Of an axis: numbers that are smaller would not fit beside it. */
const LEAST_TOP = 0.1;

export function Curves() {
  const known = useStore(samples);
  return (
    <section aria-labelledby="curves">
      <h2 id="curves">The last ten minutes</h2>
      <div class="curves">
        {CHARTS.map((chart) => (
          <Curve key={chart.title} chart={chart} known={known} />
        ))}
      </div>
    </section>
  );
}

function Curve({ chart, known }: { chart: Chart; known: readonly Sample[] }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const scheme = useRef(matchMedia('(prefers-color-scheme: dark)'));

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const draw = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsFor(chart, element), dataOf(chart, samples.value), element);
    };
    draw();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    // Its colours are those of the moment at which it was drawn.
    const { current } = scheme;
    current.addEventListener('change', draw);
    return () => {
      current.removeEventListener('change', draw);
      resized.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [chart]);

  useEffect(() => plot.current?.setData(dataOf(chart, known)), [chart, known]);

  const last = known.at(-1);
  const now = (of: Series['of']): string => {
    const value = last === undefined ? null : of(last);
    return value === null ? '–' : chart.text(value);
  };
  return (
    <figure class="curve">
      <figcaption>
        <span class="curve-title">{chart.title}</span>
        {chart.series.map(({ title, of, colour }) => (
          <span key={title} class={`key ${colour.slice(2)}`}>
            {title} <b>{now(of)}</b>
          </span>
        ))}
      </figcaption>
      <div ref={place} class="plot" aria-hidden="true" />
    </figure>
  );
}

function optionsFor(chart: Chart, element: HTMLElement): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--soft'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: `11px ${style.fontFamily}`,
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: true, range: (_plot, _from, to) => [to - SPAN_S, to] },
      y: { range: (_plot, _from, to) => [0, to > 0 ? Math.max(to * 1.08, LEAST_TOP) : 1] },
    },
    axes: [
      {
        ...axis,
        size: 28,
        space: 70,
        values: (_plot, times) => times.map((time) => new Date(time * 1000).toTimeString().slice(0, 5)),
      },
      { ...axis, size: 54, space: 32, values: (_plot, values) => values.map(chart.text) },
    ],
    series: [
      {},
      ...chart.series.map(({ title, colour: name }) => ({
        label: title,
        stroke: colour(name),
        width: 1.6,
        points: { show: false },
      })),
    ],
  };
}

function dataOf({ series }: Chart, known: readonly Sample[]): uPlot.AlignedData {
  const times = known.map(({ timeMs }) => timeMs / 1000);
  return [times, ...series.map(({ of }) => known.map(of))];
}
