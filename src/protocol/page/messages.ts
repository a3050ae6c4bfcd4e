// What the page of a mediator is told, as JSON: shapes that the mediator and the
// page's own code agree on.
import type { ClusterStatus, DataServerStatus } from '../services/admin.js';

/** What happened in a stretch of time, and how long it took. */
export interface Sample {
  /** The end of the stretch, in milliseconds since 1970. */
  timeMs: number;
  /** A second. */
  reads: number;
  writes: number;
  votes: number;
  dissents: number;
  repairs: number;
  readBytes: number;
  writeBytes: number;
  /** Milliseconds; null when there was none in that stretch. */
  readP50: number | null;
  readP99: number | null;
  writeP50: number | null;
  writeP99: number | null;
}

export interface PageDataServer extends DataServerStatus {
  /** Moving average of its block reads; null where nobody measures it. */
  latencyMs: number | null;
}

/** Of a mediator; a standby passes on what the active one says, as far as that answers. */
export interface ClusterSnapshot extends Omit<ClusterStatus, 'dataservers'> {
  role: 'active' | 'standby';
  /** When it was made, in milliseconds since 1970. */
  timeMs: number;
  /** Of the mediator that answers. */
  name: string;
  dataservers: PageDataServer[];
  testHooks: boolean;
  /** Whether somebody here can start, stop and end processes. */
  isSupervised: boolean;
  /** The newest; null at a standby. */
  sample: Sample | null;
}

/** Nothing can be said just now. */
export interface TroubledSnapshot {
  role: 'troubled';
  timeMs: number;
  reason: string;
}

export type PageSnapshot = ClusterSnapshot | TroubledSnapshot;

/** What comes first when somebody looks: the last ten minutes, oldest first. */
export interface History {
  periodMs: number;
  samples: Sample[];
}
