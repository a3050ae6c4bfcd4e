// How fast a group notices things.

export interface Timing {
  /** A leader is heard this often. In primary-backup every server is: its HELO. */
  readonly heartbeatMs: number;
  /** Who hears no leader for so long, or for up to twice as long, has another one chosen. More than two heartbeats. */
  readonly electionTimeoutMs: number;
}

export const TICK_MS = 25;

/** At most ten calls a second go from one idle server to another; a leader that is gone is replaced within a second. */
export const DEFAULT_TIMING: Timing = { heartbeatMs: 125, electionTimeoutMs: 300 };

export function ticksOf(ms: number): number {
  return Math.max(1, Math.round(ms / TICK_MS));
}
