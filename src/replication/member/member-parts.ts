// What a member is made of.
import type { Runtime } from '../../runtime/runtime.js';
import type { Core } from '../core/core.js';
import type { MemberLog } from '../log/memory-log.js';
import type { StateMachine, States } from './state-machine.js';
import type { Transport } from './transport.js';

export interface MemberEvents {
  /** It leads now, and may answer, or it does not any more. */
  servingChanged(isServing: boolean): void;
  /** Entries were applied here. */
  applied(): void;
  /** The log can't be written: the member has stopped, and must be opened anew. */
  failed(error: unknown): void;
}

export interface MemberParts {
  core: Core;
  log: MemberLog;
  state: StateMachine;
  /** Not needed by a group of one. */
  states?: States;
  transport: Transport;
  runtime: Runtime;
  events: MemberEvents;
  tickMs: number;
  /** The shortest time without a leader after which a member asks for votes. */
  electionTimeoutMs: number;
}
