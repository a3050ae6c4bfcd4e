// What shows that a suite is worth something: on an implementation that is broken on purpose, a case fails.
import assert from 'node:assert/strict';

/**
 * Fails unless some case does, and when one fails otherwise than by its own assertions.
 * @param run gives a case the broken implementation
 */
export async function assertFindsDefect<Place>(
  cases: Record<string, (place: Place) => Promise<void>>,
  run: (test: (place: Place) => Promise<void>) => Promise<void>,
): Promise<void> {
  const failed: string[] = [];
  for (const [name, test] of Object.entries(cases)) {
    try {
      await run(test);
    } catch (error) {
      assert.ok(error instanceof assert.AssertionError, String(error));
      failed.push(name);
    }
  }
  assert.notDeepEqual(failed, []);
}
