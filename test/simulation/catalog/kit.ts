// What tests of the catalog ask of its simulated world.
import assert from 'node:assert/strict';
import type { CatalogHost, CatalogWorld } from './catalog-world.js';

export const bytes = (value: string) => new TextEncoder().encode(value);
export const text = (value: Uint8Array) => new TextDecoder().decode(value);

export function server(world: CatalogWorld, name: string): CatalogHost {
  return world.servers.find((each) => each.name === name) ?? assert.fail(name);
}

export function leaders(world: CatalogWorld): string[] {
  return world.servers.filter(({ isLeading }) => isLeading).map(({ name }) => name);
}
