// The kinds of faults, and how often each comes.
import type { SeededRandom } from './world/seeded-random.js';

export type DataFault =
  | 'kill'
  | 'power'
  | 'stop'
  | 'cut'
  | 'slow'
  | 'stall'
  | 'break'
  | 'syncs'
  | 'full'
  | 'wipe'
  | 'rot'
  | 'corrupt';
export type ControlFault =
  | 'mediator'
  | 'mediator link'
  | 'metaserver'
  | 'metadata link'
  | 'metadata disk'
  | 'metadata stall'
  | 'metadata wipe'
  | 'metadata rot'
  | 'client link'
  | 'client stop'
  | 'blackout';

/** How often each kind comes, in proportion. */
export const DATA_FAULTS: Readonly<Record<DataFault, number>> = {
  kill: 2,
  power: 2,
  stop: 1,
  cut: 1,
  slow: 1,
  stall: 1,
  break: 1,
  syncs: 1,
  full: 1,
  wipe: 2,
  rot: 3,
  corrupt: 2,
};
const CONTROL_FAULTS: Readonly<Record<Exclude<ControlFault, 'mediator link'>, number>> = {
  mediator: 3,
  metaserver: 3,
  'metadata link': 1,
  'metadata disk': 1,
  'metadata stall': 1,
  'metadata wipe': 1,
  'metadata rot': 2,
  'client link': 1,
  'client stop': 1,
  blackout: 1,
};

const SEVERAL_MEDIATORS = { ...CONTROL_FAULTS, 'mediator link': 3 };

export function controlFaults(mediators: number): Readonly<Partial<Record<ControlFault, number>>> {
  return mediators > 1 ? SEVERAL_MEDIATORS : CONTROL_FAULTS;
}

/** Kinds to draw from, each as often as its weight; most runs do without some of them, so that the others meet more often. */
export function deck<Kind extends string>(
  weights: Readonly<Partial<Record<Kind, number>>>,
  random: SeededRandom,
): Kind[] {
  const kinds = (Object.keys(weights) as Kind[]).filter(() => random.chance(0.7));
  const drawn = kinds.length > 0 ? kinds : [random.pick(Object.keys(weights) as Kind[])];
  return drawn.flatMap((kind) => Array.from({ length: weights[kind] ?? 0 }, () => kind));
}
