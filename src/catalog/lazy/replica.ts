// What one server holds under the lazy protocol: of each path the update that comes last in the order, and which updates it has seen.
import { Packr } from 'msgpackr';
import { inParts } from '../map/in-parts.js';
import { ValueTree } from '../map/value-tree.js';
import { LocalView } from '../peers/local-view.js';
import { bytesOf, isBehind, type Key, type KeyedUpdate, type Update } from './update.js';
import { UpdatesByOrigin } from './updates-by-origin.js';
import { merged, type Vector } from './vector.js';

const SERVER_PREFIX = 'server:';

/** Updates, and what whoever takes them in has seen then: all that is not among them was replaced by one of them, or seen before. */
export interface Batch {
  readonly updates: readonly KeyedUpdate[];
  /** What the sender knew to be seen already. */
  readonly since: Vector;
  readonly seen: Vector;
}

export class Replica {
  readonly tree = new ValueTree<Update>();
  readonly view = new LocalView(this.tree);
  readonly #servers = new Map<string, Update>();
  readonly #byOrigin = new UpdatesByOrigin((key) => this.entryOf(key));
  #seen: Vector = {};

  get seen(): Vector {
    return this.#seen;
  }

  entryOf(key: Key): Update | undefined {
    return key.startsWith(SERVER_PREFIX) ? this.#servers.get(key.slice(SERVER_PREFIX.length)) : this.tree.get(key);
  }

  /** By name; null for one that was removed. */
  get serverChanges(): ReadonlyMap<string, string | null> {
    const changes = [...this.#servers].map(
      ([name, { isRemoved, bytes }]) => [name, isRemoved ? null : new TextDecoder().decode(bytes)] as const,
    );
    return new Map(changes);
  }

  /** What one who has seen only that lacks. */
  since(vector: Vector): Batch {
    const updates: KeyedUpdate[] = [];
    for (const key of this.#byOrigin.since(vector)) {
      const update = this.entryOf(key);
      if (update !== undefined) updates.push({ key, update });
    }
    return { updates, since: vector, seen: this.#seen };
  }

  /** Whatever is behind what is there replaces it; the rest is old. */
  absorb({ updates, seen }: Omit<Batch, 'since'>): void {
    for (const { key, update } of updates) {
      const before = this.entryOf(key);
      if (!isBehind(update, before)) continue;
      if (key.startsWith(SERVER_PREFIX)) this.#servers.set(key.slice(SERVER_PREFIX.length), update);
      else this.tree.put(key, update);
      this.#byOrigin.replaced(key, before, update);
    }
    this.#seen = merged(this.#seen, seen);
  }

  /** All of it as it is now, for the journal, whatever becomes of it while the parts are asked for; each is a batch. */
  parts(): Iterable<Uint8Array> {
    return encodeParts(this.#all(), this.#seen);
  }

  #all(): KeyedUpdate[] {
    const servers = [...this.#servers].map(([name, update]) => ({ key: serverKey(name), update }));
    return [...servers, ...[...this.tree.entries()].map(([key, update]) => ({ key, update }))];
  }
}

const packr = new Packr({ useRecords: false, mapsAsObjects: true, variableMapSize: true, copyBuffers: true });

function* encodeParts(all: readonly KeyedUpdate[], seen: Vector): Generator<Uint8Array> {
  for (const updates of inParts(all, bytesOf)) yield encodeBatch({ updates, seen: {} });
  yield encodeBatch({ updates: [], seen });
}

export function encodeBatch({ updates, seen }: Omit<Batch, 'since'>): Uint8Array {
  return packr.pack({ updates, seen });
}

export function decodeBatch(bytes: Uint8Array): Omit<Batch, 'since'> {
  return packr.unpack(bytes) as Omit<Batch, 'since'>;
}

export function serverKey(name: string): Key {
  return SERVER_PREFIX + name;
}
