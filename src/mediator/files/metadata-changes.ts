// Changes of names and attributes: carries out the command, brings this
// mediator's caches up to date with its answer, and tells the other mounts.
import type { Attributes, Changed, FileName } from '../../protocol/services/files.js';
import type { CommandName, Commands, MetadataService } from '../../protocol/services/metadata.js';
import type { CallOptions } from '../../protocol/services/service.js';
import type { OutdatedItem } from '../../protocol/services/sessions.js';
import type { Attempt, RequestId } from '../../protocol/values/request-ids.js';
import type { Clock } from '../../runtime/clock.js';
import type { BlockMap } from '../metadata/block-map.js';
import type { KnownNames } from '../metadata/known-names.js';
import type { Sessions } from '../sessions/sessions.js';

type MakeRequest = Attempt & Pick<Commands['make']['request'], 'parent' | 'name' | 'umask' | 'caller'>;
type Made = Pick<Commands['make']['request'], 'kind' | 'mode' | 'device' | 'target' | 'exclusive'>;

interface Dependencies {
  metadata: MetadataService;
  blockMap: BlockMap;
  names: KnownNames;
  sessions: Sessions;
  clock: Clock;
  /** Of new files. */
  blockSizeBytes: number;
}

export class MetadataChanges {
  readonly #metadata: MetadataService;
  readonly #blockMap: BlockMap;
  readonly #names: KnownNames;
  readonly #sessions: Sessions;
  readonly #clock: Clock;
  readonly #blockSizeBytes: number;

  constructor({ metadata, blockMap, names, sessions, clock, blockSizeBytes }: Dependencies) {
    this.#metadata = metadata;
    this.#blockMap = blockMap;
    this.#names = names;
    this.#sessions = sessions;
    this.#clock = clock;
    this.#blockSizeBytes = blockSizeBytes;
  }

  /** Not durable when it answers: fsync makes it so. */
  async execute<K extends CommandName>(
    name: K,
    request: Commands[K]['request'],
    id: RequestId | undefined,
  ): Promise<Commands[K]['result']> {
    const answer = await this.#names.note(name, request, () =>
      this.#metadata.execute({ name, timeNs: this.#clock.nowNs(), request, durable: false, id }),
    );
    if (answer.isRepetition !== true) return answer;
    // Its attributes are of now, not of when the command was carried out: the caches can't tell what came between.
    for (const inode of inodesOf(answer)) this.#blockMap.forget(inode);
    const { isRepetition: _, ...result } = answer;
    return result as Commands[K]['result'];
  }

  // All members by name, here and in the callers: V8 keeps no common shape for literals that begin with a spread, and each access
  // to one is a miss of its caches. A create had twelve.
  async make(request: MakeRequest, what: Made, options: CallOptions | undefined): Promise<Commands['make']['result']> {
    const { id, parent, name, umask, caller } = request;
    const { kind, mode, device, target, exclusive } = what;
    const blockSizeBytes = this.#blockSizeBytes;
    const made = { parent, name, kind, mode, umask, device, target, caller, exclusive, blockSizeBytes };
    const result = await this.execute('make', made, id);
    if (result.created && kind === 'file') this.created(result.attributes);
    else this.#blockMap.observe(result.attributes);
    if (result.created) this.namesChanged(result, [{ parent, name }], options);
    return result;
  }

  /** A new file has no blocks, unless an earlier attempt made it and it was written since. */
  created(attributes: Attributes): void {
    if (attributes.revision === 1) this.#blockMap.created(attributes);
    else this.#blockMap.observe(attributes);
  }

  /** A command has changed attributes to these, and no names. */
  attributesChanged(attributes: Attributes, options: CallOptions | undefined): Attributes {
    this.#blockMap.committed(attributes, null, []);
    this.#sessions.publish([{ inode: attributes.inode, content: false }], options);
    return attributes;
  }

  /** A command has changed these names. @param changed the attributes that it has changed */
  namesChanged(
    { changed }: Changed,
    names: readonly { parent: number; name: FileName }[],
    options: CallOptions | undefined,
  ): void {
    const items: OutdatedItem[] = names.map(({ parent, name }) => ({ parent, name }));
    for (const attributes of changed) {
      items.push({ inode: attributes.inode, content: false });
      this.#blockMap.committed(attributes, null, []);
    }
    this.#sessions.publish(items, options);
  }
}

/** The inodes whose attributes are in the answer. */
function inodesOf(answer: object): number[] {
  const { attributes, changed = [] } = answer as { attributes?: Attributes } & Partial<Changed>;
  return [...(attributes === undefined ? [] : [attributes]), ...changed].map(({ inode }) => inode);
}
