// The changes that the map takes, and what each of them asks of what is there.
import { CatalogError } from './errors.js';
import { checkPath, parentOf, ROOT } from './paths.js';

/** Of a value. */
export const MAXIMUM_VALUE_BYTES = 1024 * 1024;

/** `version` is the one that the value gets, which must be greater than the one that is there; one more than that when absent. */
export type Command =
  /** The path must not be there, its parent must. */
  | { readonly kind: 'create'; readonly path: string; readonly value: Uint8Array; readonly version?: number }
  /** The path must be there. @param expected compare-and-set: the version that must be there */
  | {
      readonly kind: 'set';
      readonly path: string;
      readonly value: Uint8Array;
      readonly expected?: number;
      readonly version?: number;
    }
  /** Sets the path, there or not, and creates its parents. @param expected the version that must be there, 0 for none */
  | {
      readonly kind: 'put';
      readonly path: string;
      readonly value: Uint8Array;
      readonly expected?: number;
      readonly version?: number;
    }
  /** The path must be there, and have no children. */
  | { readonly kind: 'remove'; readonly path: string; readonly expected?: number; readonly version?: number };

/** What a rule needs to know of the map. */
export interface MapView {
  has(path: string): boolean;
  versionOf(path: string): number;
  hasChildren(path: string): boolean;
}

/** Throws CatalogError for a command that no map would carry out. */
export function checkCommand(command: Command): void {
  checkPath(command.path);
  if (command.kind === 'remove' && command.path === ROOT) {
    throw new CatalogError('BAD_PATH', 'the root can not be removed');
  }
  if (command.kind !== 'remove' && command.value.length > MAXIMUM_VALUE_BYTES) {
    const { length } = command.value;
    throw new CatalogError('TOO_LARGE', `a value may have ${MAXIMUM_VALUE_BYTES} bytes, and this one has ${length}`);
  }
}

/** Throws CatalogError when what is there does not fit. */
export function checkAgainst(map: MapView, command: Command): void {
  const { kind, path } = command;
  if (kind === 'create') {
    if (map.has(path)) throw new CatalogError('EXISTS', `${path} is there already`);
    if (!map.has(parentOf(path)))
      throw new CatalogError('NO_PARENT', `${parentOf(path)} is not there: create it first`);
    return;
  }
  if (kind !== 'put' && !map.has(path)) throw new CatalogError('NOT_FOUND', `${path} is not there`);
  const { expected } = command;
  const version = map.versionOf(path);
  if (expected !== undefined && expected !== version) {
    throw new CatalogError('VERSION', `${path} has version ${version}, and not ${expected}`);
  }
  if (command.version !== undefined && command.version <= version) {
    throw new CatalogError('VERSION', `${path} has version ${version} already, and ${command.version} is not greater`);
  }
  if (kind === 'remove' && map.hasChildren(path)) {
    throw new CatalogError('NOT_EMPTY', `${path} has children: remove them first`);
  }
}
