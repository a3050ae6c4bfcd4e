// Retries of requests whose first answer was lost. Before this mediator refuses a
// retry by itself (too few servers, no room), it asks the metaserver whether an
// earlier attempt was carried out. If not, the metaserver refuses that attempt
// should it still arrive.
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

  /** Whether an earlier attempt was carried out. If not, none will be. */
  async wasCarriedOut({ id, again }: Attempt): Promise<boolean> {
    if (id === undefined || again !== true) return false;
    const timeNs = this.#clock.nowNs();
    return (await this.#metadata.execute({ name: 'abandon', timeNs, request: {}, durable: false, id })).isDone;
  }

  /** Runs a change of content. When it is refused although an earlier attempt was carried out, answers for that attempt. */
  async unlessCarriedOut(attempt: Attempt & { inode: number }, change: () => Promise<Attributes>): Promise<Attributes> {
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof FileError) || !(await this.wasCarriedOut(attempt))) throw error;
      const { id, inode } = attempt;
      const timeNs = this.#clock.nowNs();
      // A commit of nothing: the metaserver knows its id, and answers with the result of the earlier attempt.
      const nothing = { changes: [], truncateTo: null, minimumSizeBytes: 0, modifyTimeNs: timeNs, missing: [] };
      const request = { inode, ...nothing };
      const result = await this.#metadata.execute({ name: 'commit', timeNs, request, durable: true, id });
      if (result.state !== 'committed') throw error;
      // The attributes may be of a later revision.
      this.#blockMap.forget(inode);
      return result.attributes;
    }
  }
}
