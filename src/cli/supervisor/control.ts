// The control service of `nmrfs up`: the mediator asks it to start a dead
// server, or to end one, `nmrfs down` asks it to stop them all, `nmrfs metaserver
// remove` to stop one for good.
import type { CallOptions } from '../../protocol/services/service.js';

/**
 * - starting: spawned, not ready yet
 * - up: it said that it serves
 * - waiting: it crashed and is started again after a pause
 * - terminated: it was ended by the terminate hook and is left so
 * - stopped: it was stopped, or never started
 */
export type ChildState = 'starting' | 'up' | 'waiting' | 'terminated' | 'stopped';

export interface ChildStatus {
  name: string;
  state: ChildState;
  processId: number | null;
}

export interface ControlService {
  list(request: Record<string, never>, options?: CallOptions): Promise<{ servers: ChildStatus[] }>;
  /** A new process for a server, whether it runs or not; answers when the new one serves. */
  restart(request: { name: string; blank: boolean }, options?: CallOptions): Promise<Record<string, never>>;
  /** Test hook: ends a server's process as a crash would; it is left so. Answers when it is gone. */
  terminate(request: { name: string }, options?: CallOptions): Promise<Record<string, never>>;
  /** Test hook: stops a server's process (SIGSTOP), as one that hangs, or lets it go on (SIGCONT). */
  hold(request: { name: string; isHeld: boolean }, options?: CallOptions): Promise<Record<string, never>>;
  /** Starts a metaserver that was put into the configuration. Answers when it serves. */
  admit(request: { name: string }, options?: CallOptions): Promise<Record<string, never>>;
  /** Stops a server that is taken out of the configuration, and forgets it. Answers when it is gone. */
  retire(request: { name: string }, options?: CallOptions): Promise<Record<string, never>>;
  /** Begins to stop everything in order; the supervisor's process is gone when that is done. */
  stop(request: Record<string, never>, options?: CallOptions): Promise<Record<string, never>>;
}
