// The map that all servers carry out alike: what each command does, and what it refuses.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { CatalogMap, type Outcome } from '../../../src/catalog/map/catalog-map.js';
import { type Command, checkCommand } from '../../../src/catalog/map/commands.js';
import { decodeLogged, decodePart, encodeLogged, encodePart } from '../../../src/catalog/map/encoding.js';
import { CatalogError } from '../../../src/catalog/map/errors.js';
import { checkPath } from '../../../src/catalog/map/paths.js';

const value = new TextEncoder().encode('value');
let tokens = 0;

function apply(map: CatalogMap, command: Command, token = `t${++tokens}`): Outcome | undefined {
  map.apply(decodeLogged(encodeLogged({ kind: 'command', token, command })));
  return map.outcomeOf(token);
}

/** A map with /a in version 2, and /a/b in version 1. */
function someMap(): CatalogMap {
  const map = new CatalogMap();
  apply(map, { kind: 'create', path: '/a', value });
  apply(map, { kind: 'set', path: '/a', value });
  apply(map, { kind: 'create', path: '/a/b', value });
  return map;
}

const OUTCOMES: readonly (readonly [Command, number | string])[] = [
  [{ kind: 'create', path: '/c', value }, 1],
  [{ kind: 'create', path: '/a', value }, 'EXISTS'],
  [{ kind: 'create', path: '/', value }, 'EXISTS'],
  [{ kind: 'create', path: '/x/y', value }, 'NO_PARENT'],
  [{ kind: 'set', path: '/a', value }, 3],
  [{ kind: 'set', path: '/a', value, expected: 2 }, 3],
  [{ kind: 'set', path: '/a', value, expected: 1 }, 'VERSION'],
  [{ kind: 'set', path: '/c', value }, 'NOT_FOUND'],
  [{ kind: 'set', path: '/a', value, version: 7 }, 7],
  [{ kind: 'set', path: '/a', value, version: 2 }, 'VERSION'],
  [{ kind: 'put', path: '/x/y/z', value, expected: 0 }, 1],
  [{ kind: 'put', path: '/a', value, expected: 0 }, 'VERSION'],
  [{ kind: 'put', path: '/a', value, expected: 2, version: 3 }, 3],
  [{ kind: 'remove', path: '/a/b' }, 1],
  [{ kind: 'remove', path: '/a' }, 'NOT_EMPTY'],
  [{ kind: 'remove', path: '/a/b', expected: 2 }, 'VERSION'],
  [{ kind: 'remove', path: '/c' }, 'NOT_FOUND'],
];

describe('the map of a catalog', () => {
  for (const [command, expected] of OUTCOMES) {
    const { kind, path, ...rest } = command;
    const asked = Object.entries(rest).filter(([key]) => key !== 'value');
    it(`${kind} ${path} ${asked.map((each) => each.join(' ')).join(' ')} → ${expected}`, () => {
      const map = someMap();
      const before = [...map.tree.entries()];
      const outcome = apply(map, command);
      if (typeof expected === 'number') assert.deepEqual(outcome, { isDone: true, version: expected });
      else {
        assert(outcome?.isDone === false && outcome.code === expected, JSON.stringify(outcome));
        assert.deepEqual([...map.tree.entries()], before, 'nothing was done');
      }
    });
  }

  it('carries a command out once, however often it is logged', () => {
    const map = someMap();
    const command = { kind: 'set', path: '/a', value } as const;
    assert.deepEqual(apply(map, command, 'same'), { isDone: true, version: 3 });
    assert.deepEqual(apply(map, command, 'same'), { isDone: true, version: 3 });
    assert.equal(map.tree.versionOf('/a'), 3);
  });

  it('is the same after a way through bytes, its outcomes too', () => {
    const map = someMap();
    apply(map, { kind: 'set', path: '/a', value }, 'kept');
    map.apply({ kind: 'server', token: 'server', name: 's9', address: 'h:1' });
    const copy = new CatalogMap();
    for (const part of map.parts()) copy.add(decodePart(encodePart(part)));
    assert.deepEqual([...copy.parts()], [...map.parts()]);
    assert.deepEqual(copy.outcomeOf('kept'), { isDone: true, version: 3 });
    assert.deepEqual(copy.tree.namesBelow('/'), ['a']);
  });

  it('refuses what no map would carry out', () => {
    const code = (command: Command) => {
      try {
        checkCommand(command);
        return 'fits';
      } catch (error) {
        return error instanceof CatalogError ? error.code : String(error);
      }
    };
    assert.equal(code({ kind: 'create', path: '/big', value: new Uint8Array(2 ** 20) }), 'fits');
    assert.equal(code({ kind: 'create', path: '/big', value: new Uint8Array(2 ** 20 + 1) }), 'TOO_LARGE');
    assert.equal(code({ kind: 'remove', path: '/' }), 'BAD_PATH');
  });

  for (const path of ['', 'a', '/a/', '//', '/a//b', '/.', '/a/../b', '/a\0', '/\ud800', `/${'x'.repeat(4096)}`, 7]) {
    it(`${JSON.stringify(path).slice(0, 30)} is no path`, () => {
      assert.throws(() => checkPath(path), CatalogError);
    });
  }

  for (const path of ['/', '/a', '/a b/ü', '/...', '/.a', `/${'x'.repeat(4095)}`]) {
    it(`${path.slice(0, 30)} is a path`, () => {
      assert.equal(checkPath(path), path);
    });
  }
});
