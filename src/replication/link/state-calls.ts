// The calls of GroupService by which another server sends its whole state.
import { malformed } from '../../protocol/errors.js';
import type { GroupService } from '../../protocol/services/group.js';
import type { IncomingStates } from './incoming-states.js';
import { readMark } from './read-message.js';

export function stateCalls(states: IncomingStates): Pick<GroupService, 'beginState' | 'stateChunk' | 'endState'> {
  return {
    async beginState({ from, term, mark }) {
      if (typeof from !== 'string' || !Number.isSafeInteger(term)) throw malformed('from or term');
      return { state: states.begin(from, term, readMark(mark)) };
    },
    async stateChunk({ state, bytes }) {
      if (!(bytes instanceof Uint8Array)) throw malformed('bytes are no bytes');
      await states.chunk(state, bytes);
      return {};
    },
    async endState({ state }) {
      await states.end(state);
      return {};
    },
  };
}
