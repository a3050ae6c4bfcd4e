// How fast a server gets what it lacks, from the last snapshots: what is left and
// how long that takes at this rate.
import type { ClusterSnapshot } from '../../protocol/page/messages.js';
import { clusters } from './live.js';

export interface Progress {
  /** A second; null while it is too early to say. */
  perSecond: number | null;
  leftMs: number | null;
}

interface Point {
  timeMs: number;
  /** What is still to come. */
  left: number;
}

/** The rate is taken over so long. */
const WINDOW_MS = 15_000;
const points = new Map<string, Point[]>();

clusters.listen(() => note(clusters.value));

function note(snapshot: ClusterSnapshot | null): void {
  if (snapshot === null) return;
  const { timeMs } = snapshot;
  for (const { name, rebuild, behind } of snapshot.dataservers) {
    add(name, timeMs, rebuild === undefined ? (behind ?? 0) : rebuild.total - rebuild.done);
  }
  for (const { name, snapshot: sent, lag } of snapshot.metaservers) {
    add(name, timeMs, sent === undefined ? (lag?.entries ?? 0) : sent.total - sent.done);
  }
}

function add(name: string, timeMs: number, left: number): void {
  const known = points.get(name) ?? [];
  const before = known.at(-1);
  // What grows is another task than before.
  const kept = left === 0 || (before !== undefined && left > before.left) ? [] : known;
  points.set(name, [...kept.filter((point) => point.timeMs > timeMs - WINDOW_MS), { timeMs, left }]);
}

export function progressOf(server: string): Progress {
  const known = points.get(server) ?? [];
  const first = known[0];
  const last = known.at(-1);
  const seconds = first === undefined || last === undefined ? 0 : (last.timeMs - first.timeMs) / 1000;
  if (first === undefined || last === undefined || seconds < 1) return { perSecond: null, leftMs: null };
  const perSecond = (first.left - last.left) / seconds;
  return { perSecond, leftMs: perSecond > 0 ? (last.left / perSecond) * 1000 : null };
}
