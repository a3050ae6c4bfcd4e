// What a data server has deleted must not be there again when it starts anew,
// unless it lost its power before the deletion was on its disk.
import type { BlockService } from '../../src/protocol/services/blocks.js';
import { versionKey } from './version-key.js';

const LIST_ENTRIES = 4000;

export class DeletionWatch {
  /** Deleted versions; true: also a power cut leaves them deleted. */
  readonly #deleted = new Map<string, boolean>();
  #isSpoiled = false;

  /** The same service, with what it deletes and stores noted. */
  over(blocks: BlockService): BlockService {
    return {
      ...blocks,
      delete: async (request, options) => {
        const reply = await blocks.delete(request, options);
        // Otherwise it is not known which of them were there.
        if (reply.deleted < request.items.length || this.#isSpoiled) return reply;
        for (const item of request.items) this.#deleted.set(versionKey(item), false);
        return reply;
      },
      put: async (request, options) => {
        for (const item of request.items) this.#deleted.delete(versionKey(item));
        const before = [...this.#deleted.keys()];
        const reply = await blocks.put(request, options);
        const isSynced = request.durable && reply.results.some(({ state }) => state === 'stored');
        for (const key of isSynced ? before : []) if (this.#deleted.has(key)) this.#deleted.set(key, true);
        return reply;
      },
    };
  }

  powerLost(): void {
    for (const [key, isDurable] of this.#deleted) if (!isDurable) this.#deleted.delete(key);
  }

  /** The disk is to blame for whatever comes back from now on. */
  spoil(): void {
    this.#isSpoiled = true;
    this.#deleted.clear();
  }

  /** What is wrong with a server that has just started; null when nothing is. */
  async problemOf(blocks: BlockService): Promise<string | null> {
    const { entries } = await blocks.list({ limit: LIST_ENTRIES });
    const risen = entries.map(versionKey).find((key) => this.#deleted.has(key));
    return risen === undefined ? null : `${risen} was deleted, and is there again after a start`;
  }
}
