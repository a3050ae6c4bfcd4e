// What happens a second, from two statuses: reads, writes, repairs, and how long a rebuild still takes.
import { formatSize } from '../../config/values.js';
import { durationText } from '../../explain/words.js';
import type { ClusterStatus } from '../../protocol/services/admin.js';

export interface TimedStatus {
  /** Of a clock that never goes back. */
  atMs: number;
  status: ClusterStatus;
}

/** Counters that a mediator keeps, in the order in which they are shown. */
const SHOWN = ['reads', 'writes', 'votes', 'dissents', 'repairs', 'noQuorums', 'writesRefused'] as const;
const NAMES: Readonly<Partial<Record<string, string>>> = { noQuorums: 'no quorum', writesRefused: 'writes refused' };

/** @param before null for the first status, of which no rate is known */
export function ratesText(before: TimedStatus | null, now: TimedStatus): string {
  if (before === null) return '';
  const seconds = (now.atMs - before.atMs) / 1000;
  const earlier = before.status.counters;
  const { counters, dataservers } = now.status;
  const count = (name: string): number => (counters[name] ?? 0) - (earlier[name] ?? 0);
  // Another mediator has counted these, or one that was started anew.
  const names = [...SHOWN, 'readBytes', 'writeBytes'];
  if (seconds <= 0 || names.some((name) => count(name) < 0)) return '';
  const bytes = (name: string): string =>
    count(name) === 0 ? '' : ` (${formatSize(Math.round(count(name) / seconds))}/s)`;
  const line = SHOWN.map((name) => {
    const size = name === 'reads' ? bytes('readBytes') : name === 'writes' ? bytes('writeBytes') : '';
    return `${NAMES[name] ?? name} ${rate(count(name) / seconds)}${size}`;
  }).join('   ');
  const rebuilds = dataservers.flatMap(({ name, rebuild }) => {
    const past = before.status.dataservers.find((server) => server.name === name)?.rebuild;
    if (rebuild === undefined || past === undefined || rebuild.done <= past.done) return [];
    const perSecond = (rebuild.done - past.done) / seconds;
    const left = durationText(((rebuild.total - rebuild.done) / perSecond) * 1000);
    return `${name} is being rebuilt: ${rate(perSecond).replace('/s', '')} blocks a second, ${left} left`;
  });
  return [line, ...rebuilds].join('\n');
}

function rate(perSecond: number): string {
  return `${perSecond === 0 ? '0' : perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)}/s`;
}
