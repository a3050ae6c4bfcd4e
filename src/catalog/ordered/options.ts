// What a server under a protocol of one order is opened with.
import type { ServerPlace } from '../../protocol/services/group.js';
import type { OrderedProtocol } from './make-core.js';
import type { Timing } from './timing.js';

export interface OrderedOptions {
  readonly name: string;
  readonly address: string;
  readonly cluster: string;
  readonly protocol: OrderedProtocol;
  /** All servers that are known at the start, this one included. */
  readonly servers: readonly ServerPlace[];
  /** It comes into a group that is there already: it founds none. */
  readonly isNewcomer: boolean;
  readonly secret?: string;
  readonly timing?: Timing;
}
