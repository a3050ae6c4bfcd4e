// An update of the lazy protocol, and the one order that all servers put updates into.
import type { SpreadValue } from '../peers/local-view.js';
import { sumOf, type Vector } from './vector.js';

/** A path; or server:NAME, whose value is its address. */
export type Key = string;

export interface Update extends SpreadValue {
  /** The server that was asked for it. */
  readonly origin: string;
  /** What that server had seen, and the client, this update included. */
  readonly timestamp: Vector;
}

export interface KeyedUpdate {
  readonly key: Key;
  readonly update: Update;
}

/** About how many it takes. */
export function bytesOf({ key, update }: KeyedUpdate): number {
  return key.length + update.bytes.length;
}

/** Which of the updates of its origin it is, from 1 on. */
export function numberOf({ origin, timestamp }: Update): number {
  return timestamp[origin] ?? 0;
}

/**
 * Whether `one` comes behind `other`. Whatever has seen the other does, since its sum is greater. Of those that have not seen each
 * other, the greater sum does, and then the greater name of the origin: the same on all servers.
 */
export function isBehind(one: Update, other: Update | undefined): boolean {
  if (other === undefined) return true;
  const difference = sumOf(one.timestamp) - sumOf(other.timestamp);
  return difference > 0 || (difference === 0 && one.origin > other.origin);
}
