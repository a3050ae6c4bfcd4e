// Where the servers of a group are: as configured, and as the group itself says of those that were added while it ran.
import { Buffer } from 'node:buffer';
import { METASERVERS_KEY } from '../../namespace/state/keys.js';
import { decodeMetaservers } from '../../namespace/state/metaservers.js';
import type { ServerPlace } from '../../protocol/services/group.js';
import type { Clock, Timer } from '../../runtime/clock.js';
import type { BaseStorage } from '../engine/storage.js';

const LOOK_MS = 300;

export interface RosterParts {
  configured: readonly ServerPlace[];
  storage: Pick<BaseStorage, 'get' | 'isReadable'>;
  /** Called with those that were added, after each change of them. */
  added: (servers: readonly ServerPlace[]) => void;
  clock: Clock;
}

export class Roster {
  #timer: Timer;
  #lastRow: Uint8Array | undefined;

  readonly #parts: RosterParts;

  constructor(parts: RosterParts) {
    this.#parts = parts;
    this.#timer = this.#look();
  }

  close(): void {
    this.#timer.cancel();
  }

  /** Those of the servers of which it is known where they are. */
  placesOf(names: readonly string[]): ServerPlace[] {
    const places = new Map(this.#added.map(({ name, address }) => [name, address]));
    for (const { name, address } of this.#parts.configured) places.set(name, address);
    return names.flatMap((name) => {
      const address = places.get(name);
      return address === undefined ? [] : [{ name, address }];
    });
  }

  get #added(): ServerPlace[] {
    return decodeMetaservers(this.#lastRow);
  }

  #look(): Timer {
    const { storage } = this.#parts;
    const row = storage.isReadable ? storage.get(METASERVERS_KEY) : undefined;
    if (row !== undefined && !isEqual(row, this.#lastRow)) {
      this.#lastRow = row;
      this.#parts.added(this.#added);
    }
    return this.#parts.clock.after(LOOK_MS, () => {
      this.#timer = this.#look();
    });
  }
}

function isEqual(row: Uint8Array, other: Uint8Array | undefined): boolean {
  return other !== undefined && Buffer.compare(row, other) === 0;
}
