// Requests that a client asks again, since the answer to an earlier attempt was
// lost. What this mediator refuses by itself, before the metaserver sees it
// (too few servers, no room), may have been carried out then: the metaserver
// knows, and from then on refuses what is still on its way.
import { FileError } from '../../protocol/errors.js';
import type { Attributes } from '../../protocol/services/files.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import type { Attempt } from '../../protocol/values/request-ids.js';
import type { Clock } from '../../runtime/clock.js';
import type { BlockMap } from './block-map.js';

export class EarlierAttempts {
  readonly #metadata: MetadataService;
  readonly #blockMap: BlockMap;
  readonly #clock: Clock;

  constructor(metadata: MetadataService, blockMap: BlockMap, clock: Clock) {
    this.#metadata = metadata;
    this.#blockMap = blockMap;
    this.#clock = clock;
  }

  /** Whether an earlier attempt at a request that is being refused was carried out. If not, none will be. */
  async wasCarriedOut({ id, again }: Attempt): Promise<boolean> {
    if (id === undefined || again !== true) return false;
    const timeNs = this.#clock.nowNs();
    return (await this.#metadata.execute({ name: 'abandon', timeNs, request: {}, durable: false, id })).isDone;
  }

  /** What a write answers, or another change of content; when it is refused, what an earlier attempt would have answered. */
  async unlessCarriedOut(attempt: Attempt & { inode: number }, change: () => Promise<Attributes>): Promise<Attributes> {
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof FileError) || !(await this.wasCarriedOut(attempt))) throw error;
      const { id, inode } = attempt;
      const timeNs = this.#clock.nowNs();
      const nothing = { changes: [], truncateTo: null, minimumSizeBytes: 0, modifyTimeNs: timeNs, missing: [] };
      const request = { inode, ...nothing };
      const result = await this.#metadata.execute({ name: 'commit', timeNs, request, durable: true, id });
      if (result.state !== 'committed') throw error;
      // Others may have written since.
      this.#blockMap.forget(inode);
      return result.attributes;
    }
  }
}
