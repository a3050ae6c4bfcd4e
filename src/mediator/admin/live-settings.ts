// The settings that `configure` shows and changes while the mediator runs. They
// hold until it ends; the configuration file is not touched.
import { ServiceError } from '../../protocol/errors.js';
import { quorumProblem } from '../../protocol/values/quorum.js';
import type { MediatorSettings } from '../settings.js';

const KEYS = ['readQuorum', 'writeQuorum', 'audit', 'onWriteQuorumLost'] as const;

/**
 * Sets `key` to `value`, if one is given; answers the value that holds.
 * @throws ServiceError REFUSED for keys and values that are not possible
 */
export function configure(
  settings: MediatorSettings,
  dataServers: number,
  key: string,
  value: string | undefined,
): string {
  const known = KEYS.find((candidate) => candidate === key);
  if (known === undefined) {
    throw new ServiceError('REFUSED', `${key} can't be changed while running; these can: ${KEYS.join(', ')}`);
  }
  if (value !== undefined) set(settings, dataServers, known, value);
  return String(settings[known]);
}

function set(settings: MediatorSettings, dataServers: number, key: (typeof KEYS)[number], value: string): void {
  switch (key) {
    case 'readQuorum':
    case 'writeQuorum': {
      const { readQuorum, writeQuorum } = settings;
      const quorums = { readQuorum, writeQuorum, [key]: Number(value) };
      const problem = quorumProblem(dataServers, quorums);
      if (problem !== null) throw new ServiceError('REFUSED', problem);
      settings[key] = quorums[key];
      return;
    }
    case 'audit':
      if (value !== 'all' && value !== 'quorum') {
        throw new ServiceError('REFUSED', `audit ${value}: must be all or quorum`);
      }
      settings.audit = value;
      return;
    case 'onWriteQuorumLost':
      if (value !== 'fail' && value !== 'block') {
        throw new ServiceError('REFUSED', `onWriteQuorumLost ${value}: must be fail or block`);
      }
      settings.onWriteQuorumLost = value;
      return;
  }
}
