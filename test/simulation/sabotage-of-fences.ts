// Two mediators that both take themselves for the active one, since something is
// missing that keeps the old one away.
import { Store } from '../../src/dataserver/store.js';
import { Tenure } from '../../src/mediator/epochs/tenure.js';
import { ActiveMediator } from '../../src/metaserver/active-mediator.js';
import type { Sabotage } from './cluster-shape.js';
import { instead } from './replaced-members.js';

const MEDIATORS = 2;
const LONG_MS = 1_000_000;

export const SABOTAGES_OF_FENCES: Readonly<Record<string, Sabotage>> = {
  'a mediator that answers without knowing whether another one has taken over': {
    seed: 40,
    mediators: MEDIATORS,
    replace: instead(Tenure, () => ({
      get isSure() {
        return true;
      },
    })),
  },
  'metaservers that take calls of a mediator that was replaced': {
    seed: 55,
    mediators: MEDIATORS,
    replace: instead(ActiveMediator, (real) => ({
      admit(name, peer) {
        try {
          real.admit.call(this, name, peer);
        } catch {
          // It is carried out.
        }
      },
    })),
  },
  'data servers that take calls of a mediator that was replaced': {
    seed: 51,
    mediators: MEDIATORS,
    replace: instead(Store, () => ({ async noteEpoch() {} })),
  },
  'a mediator that takes over from one that is there': {
    mediators: MEDIATORS,
    replace: instead(ActiveMediator, () => ({
      get silentMs() {
        return LONG_MS;
      },
    })),
  },
};
