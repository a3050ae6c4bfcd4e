// The replicated map where all servers carry out the same commands in the same order: a deterministic state machine. Applying never
// fails, whatever is repeated.
import { dropOldest } from '../../runtime/drop-oldest.js';
import { type Command, checkAgainst } from './commands.js';
import { CatalogError, type CatalogErrorCode } from './errors.js';
import { inParts } from './in-parts.js';
import { parentOf } from './paths.js';
import { type Value, ValueTree } from './value-tree.js';

/** Outcomes that are kept, so that a command which is sent again is not carried out again. */
const KEPT_OUTCOMES = 4096;

export type Outcome =
  | { readonly isDone: true; readonly version: number }
  | { readonly isDone: false; readonly code: CatalogErrorCode; readonly message: string };

/** What all servers carry out. `token` is unique to the request, and the same when it is made again. */
export type Logged =
  | { readonly kind: 'command'; readonly token: string; readonly command: Command }
  /** Where a server is that was added while the group worked; null for one that was removed. */
  | { readonly kind: 'server'; readonly token: string; readonly name: string; readonly address: string | null };

/** A part of a map, as plain values. */
export interface MapPart {
  readonly values?: readonly (readonly [path: string, bytes: Uint8Array, version: number])[];
  readonly servers?: readonly (readonly [name: string, address: string])[];
  readonly removed?: readonly string[];
  readonly outcomes?: readonly (readonly [token: string, outcome: Outcome])[];
}

export class CatalogMap {
  readonly tree = new ValueTree();
  readonly servers = new Map<string, string>();
  /** Names of servers that were removed. */
  readonly removed = new Set<string>();
  readonly #outcomes = new Map<string, Outcome>();

  /** Takes in a part of another map; with all of them, this one is the same. */
  add({ values = [], servers = [], removed = [], outcomes = [] }: MapPart): void {
    for (const [path, bytes, version] of values) this.tree.put(path, { bytes, version });
    for (const [name, address] of servers) this.servers.set(name, address);
    for (const name of removed) this.removed.add(name);
    for (const [token, outcome] of outcomes) this.#outcomes.set(token, outcome);
  }

  /** All of the map as it is now, whatever becomes of it while the parts are asked for. */
  parts(): Iterable<MapPart> {
    // Values are never changed, only replaced.
    return partsOf([...this.servers], [...this.removed], [...this.#outcomes], [...this.tree.entries()]);
  }

  get(path: string): Value | undefined {
    return this.tree.get(path);
  }

  /** What became of a request, if it was carried out lately. */
  outcomeOf(token: string): Outcome | undefined {
    return this.#outcomes.get(token);
  }

  apply(logged: Logged): void {
    const { token } = logged;
    if (this.#outcomes.has(token)) return;
    this.#outcomes.set(token, this.#carryOut(logged));
    dropOldest(this.#outcomes, KEPT_OUTCOMES);
  }

  #carryOut(logged: Logged): Outcome {
    if (logged.kind === 'server') {
      return this.#place(logged.name, logged.address);
    }
    try {
      checkAgainst(this.tree, logged.command);
    } catch (error) {
      if (!(error instanceof CatalogError)) throw error;
      return { isDone: false, code: error.code, message: error.message };
    }
    return { isDone: true, version: this.#change(logged.command) };
  }

  #place(name: string, address: string | null): Outcome {
    const known = this.servers.get(name);
    if (address !== null && known !== undefined && known !== address) {
      return { isDone: false, code: 'EXISTS', message: `${name} is at ${known} already` };
    }
    if (address === null) {
      this.servers.delete(name);
      this.removed.add(name);
    } else {
      this.servers.set(name, address);
      this.removed.delete(name);
    }
    return { isDone: true, version: 0 };
  }

  /** @returns the version that is there now, or was before a removal */
  #change(command: Command): number {
    const { path } = command;
    const before = this.tree.versionOf(path);
    if (command.kind === 'remove') {
      this.tree.delete(path);
      return before;
    }
    if (command.kind === 'put') this.#makeParents(path);
    const version = command.version ?? before + 1;
    this.tree.put(path, { bytes: command.value, version });
    return version;
  }

  #makeParents(path: string): void {
    const parent = parentOf(path);
    if (this.tree.has(parent)) return;
    this.#makeParents(parent);
    this.tree.put(parent, { bytes: new Uint8Array(), version: 1 });
  }
}

function* partsOf(
  servers: readonly [string, string][],
  removed: readonly string[],
  outcomes: readonly [string, Outcome][],
  values: readonly [string, Value][],
): Generator<MapPart> {
  if (servers.length > 0 || removed.length > 0) yield { servers, removed };
  for (const part of inParts(outcomes, ([token]) => token.length)) yield { outcomes: part };
  for (const part of inParts(values, ([path, { bytes }]) => path.length + bytes.length)) {
    yield { values: part.map(([path, { bytes, version }]) => [path, bytes, version]) };
  }
}
