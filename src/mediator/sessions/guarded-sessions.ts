// SessionService as it is offered where other mediators may take over.
import type { SessionService } from '../../protocol/services/sessions.js';
import type { Tenure } from '../epochs/tenure.js';

export function guardedSessions(sessions: SessionService, tenure: Tenure | undefined): SessionService {
  if (tenure === undefined) return sessions;
  return {
    begin: (request, options) => tenure.guard(() => sessions.begin(request, options)),
    changes: (request, options) => tenure.guard(() => sessions.changes(request, options)),
    setLock: (request, options) => tenure.guard(() => sessions.setLock(request, options)),
    restoreLocks: (request, options) => tenure.guard(() => sessions.restoreLocks(request, options)),
    getLock: (request, options) => tenure.guard(() => sessions.getLock(request, options)),
    end: (request, options) => tenure.guard(() => sessions.end(request, options)),
  };
}
