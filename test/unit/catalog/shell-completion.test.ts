// What the Tab key completes in the catalog's shell.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Answer } from '../../../src/cli/catalog/catalog-client.js';
import { complete } from '../../../src/cli/catalog/shell-completion.js';
import { CommandFailure } from '../../../src/cli/failure.js';

const CHILDREN: Readonly<Record<string, string[]>> = {
  '/': ['apps', 'app le', 'zoo'],
  '/apps': ['one', 'only', 'two'],
};

const client = {
  async look(path: string): Promise<Answer> {
    const children = CHILDREN[path.replace('/v1', '').replace('?list', '')];
    return children === undefined ? { status: 404, content: {} } : { status: 200, content: { children } };
  },
};

describe('completion in the catalog’s shell', () => {
  for (const [line, expected] of [
    ['cre', [['create '], 'cre']],
    ['  g', [['get '], 'g']],
    ['get /', [['/apps', '/zoo'], '/']],
    ['get /ap', [['/apps'], '/ap']],
    ['set /apps/on', [['/apps/one', '/apps/only'], '/apps/on']],
    ['list /none/', [[], '/none/']],
    ['get /none//', [[], '/none//']],
    ['get /apps/one ', [[], '']],
    ['status /', [[], '/']],
    ['nonsense /', [[], '/']],
  ] as const) {
    it(`${JSON.stringify(line)} → ${expected[0].join(' ') || 'nothing'}`, async () => {
      assert.deepEqual(await complete(client, line), expected);
    });
  }

  it('completes nothing while no server answers', async () => {
    const silent = { look: () => Promise.reject(new CommandFailure('a: no answer')) };
    assert.deepEqual(await complete(silent, 'get /'), [[], '/']);
  });
});
