// What a guided run does to the cluster, and what it sees of it. The page's own
// questions and changes are behind it; tests put others there.
import type { ClusterSnapshot } from '../../../protocol/page/messages.js';

export type Outcome<T> = T | { refused: string };

export interface Held {
  index: number;
  version: number;
  length: number;
  hash: string;
}

export type Cluster = Pick<ClusterSnapshot, 'readQuorum' | 'writeQuorum'> & {
  dataservers: readonly Pick<ClusterSnapshot['dataservers'][number], 'name' | 'state'>[];
};

export interface Hands {
  /** As a program does it, in the folder of the runs. */
  write(name: string, text: string): Promise<Outcome<{ inode: number }>>;
  read(name: string): Promise<Outcome<{ text: string }>>;
  corrupt(inode: number, servers: readonly string[]): Promise<unknown>;
  terminate(server: string): Promise<unknown>;
  restart(server: string, blank: boolean): Promise<unknown>;
  configure(key: 'readQuorum' | 'writeQuorum' | 'audit', value: string): Promise<unknown>;
  /** What the server holds of the file; null while it does not answer. */
  contents(server: string, inode: number): Promise<readonly Held[] | null>;
  /** How many replicas agree on the file's first block now. */
  agreeing(inode: number): Promise<number>;
  /** As it is now. */
  cluster(): Promise<Cluster>;
  pause(ms: number): Promise<void>;
  /** Removes what the runs have made. */
  clear(): Promise<unknown>;
  /** Whether whoever started the run wants it to end. */
  readonly isStopped: boolean;
}

/** The run was stopped by whoever started it. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

const POLL_MS = 100;

/** Polls until the condition holds; answers whether it did in time. Throws Stopped. */
export async function until(hands: Hands, limitMs: number, condition: () => Promise<boolean>): Promise<boolean> {
  for (let leftMs = limitMs; ; leftMs -= POLL_MS) {
    goOn(hands);
    if (await condition()) return true;
    if (leftMs <= 0) return false;
    await hands.pause(POLL_MS);
  }
}

export function goOn(hands: Hands): void {
  if (hands.isStopped) throw new Stopped('stopped');
}

export function succeeded<T extends object>(outcome: Outcome<T>): outcome is T {
  return !('refused' in outcome);
}
