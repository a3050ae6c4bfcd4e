// Patches whose base is missing or wrong on some replicas: makes the whole new
// content, so that it can be put in place of the patch.
import { FileError } from '../../protocol/errors.js';
import type { PutResult } from '../../protocol/services/blocks.js';
import type { MetadataService } from '../../protocol/services/metadata.js';
import { hashBlock } from '../../protocol/values/hash.js';
import { assert } from '../../runtime/assert.js';
import { errorFields } from '../../runtime/caught-errors.js';
import type { Log } from '../../runtime/log.js';
import { isNamed } from '../metadata/named-versions.js';
import type { Replica } from '../replicas/replica.js';
import { recordDissent, recordRepair } from '../replicas/vote-record.js';
import { isExcused } from '../voting/blame.js';
import type { Reader } from '../voting/reader.js';
import { type BlockState, holds } from './put-messages.js';
import { renderBlock } from './write-plan.js';

export class BaseRepair {
  readonly #metadata: MetadataService;
  readonly #reader: Reader;
  readonly #log: Log;

  constructor(metadata: MetadataService, reader: Reader, log: Log) {
    this.#metadata = metadata;
    this.#reader = reader;
    this.#log = log;
  }

  /**
   * Too few replicas could patch their base: reads the base by vote and patches it here.
   * @throws FileError EIO when the base has no quorum
   */
  async renderFromBase(state: BlockState): Promise<void> {
    const { plan } = state.block;
    const { base, index } = plan;
    assert(base !== null, 'a patch has a base');
    const whole = { inode: state.key.inode, reference: base, offset: 0, length: base.length };
    const [outcome] = (await this.#reader.read([whole])).outcomes;
    if (outcome === undefined || outcome.data === null) {
      throw new FileError('EIO', `block ${index}: no quorum on what is there, so a part of it can't be replaced`);
    }
    state.rendered = renderBlock(plan, outcome.data);
    state.block.hash = hashBlock(state.rendered);
  }

  /** The whole new content from a replica that could patch its base; null when none can send it. */
  async fetchResult(state: BlockState): Promise<Uint8Array | null> {
    for (const replica of state.results.keys()) {
      if (!holds(state, replica)) continue;
      const item = { ...state.key, offset: 0, length: state.block.plan.length, data: true };
      try {
        const { results } = await replica.call(() => replica.blocks.get({ items: [item] }));
        const result = results[0];
        if (result?.state === 'present' && result.data !== undefined && hashBlock(result.data) === state.block.hash) {
          return result.data;
        }
      } catch (error) {
        this.#log.warn('write.unanswered', { server: replica.name, ...errorFields(error) });
      }
    }
    return null;
  }

  /**
   * Counts and logs that the replica was given the whole content.
   * @param answer to the patch that it could not carry out
   */
  async record(state: BlockState, replica: Replica, answer: PutResult['state'] | undefined): Promise<void> {
    const { key, block } = state;
    const base = { ...key, version: block.plan.base?.version ?? key.version };
    if (!(answer === 'no-base' && (await this.#mayLackBase(state, replica)))) {
      recordDissent(this.#log, replica, base, 'base of a write');
    }
    recordRepair(this.#log, replica, base);
  }

  /** Whether the replica is being rebuilt, was away when the base was stored, or lost it since another writer replaced it. */
  async #mayLackBase({ key, block, incomplete }: BlockState, replica: Replica): Promise<boolean> {
    const { base } = block.plan;
    if (base === null || incomplete.has(replica)) return true;
    const version = { ...key, version: base.version };
    return (await isExcused(this.#metadata, version, replica)) || !(await isNamed(this.#metadata, version));
  }
}
