// What a mediator is told that is one of several.
import type { Peer } from '../connections.js';
import type { MediatorOptions, ServerSupervisor } from '../mediator.js';

export interface SeveralOptions extends MediatorOptions {
  /** As configured. */
  name: string;
  /** The other mediators. */
  others: readonly Peer[];
  metaservers: readonly Peer[];
  dataservers: readonly Peer[];
  unixPath?: string;
  secret?: string;
  /** Absent when nobody supervises the servers here. */
  supervisor?: ServerSupervisor;
}
