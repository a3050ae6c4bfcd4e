import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { linearScale, logScale, pointScale } from '../../../../tools/curves/render/scale.js';

describe('the scales of charts', () => {
  const ticksOf: [string, number[], number[]][] = [
    ['linear', [12, 87], [0, 50, 100]],
    ['linear', [0.3], [0, 0.1, 0.2, 0.3]],
    ['linear', [400], [0, 100, 200, 300, 400]],
    ['log', [30, 700], [20, 50, 100, 200, 500, 1000]],
    ['log', [1, 10], [1, 2, 5, 10]],
    ['log', [100, 100], [100, 200]],
    ['log', [0.07, 1.2], [0.05, 0.1, 0.2, 0.5, 1, 2]],
    ['log', [1, 90_000], [1, 10, 100, 1_000, 10_000, 100_000]],
  ];
  for (const [kind, values, ticks] of ticksOf) {
    it(`name round numbers around all values: ${kind}, ${values.join(' and ')}`, () => {
      const scale = kind === 'log' ? logScale(values) : linearScale(values);
      assert.deepEqual(scale.ticks, ticks);
    });
  }

  it('place every value between their ends, in order', () => {
    const positive = fc.double({ min: 1e-2, max: 1e7, noNaN: true });
    fc.assert(
      fc.property(fc.array(positive, { minLength: 1, maxLength: 8 }), (values) => {
        const sorted = [...values].sort((one, other) => one - other);
        for (const scale of [linearScale(values), logScale(values)]) {
          const places = sorted.map(scale.place);
          assert(
            places.every((place) => place >= -1e-9 && place <= 1 + 1e-9),
            String(places),
          );
          assert.deepEqual(
            [...places].sort((one, other) => one - other),
            places,
          );
          assert(scale.ticks.length >= 2 && scale.ticks.length <= 12, String(scale.ticks));
        }
      }),
    );
  });

  it('have measured points along the bottom, evenly by ratio or by difference', () => {
    const middle = (scale: ReturnType<typeof pointScale>, value: number) => Number(scale.place(value).toFixed(9));
    assert.equal(middle(pointScale([10, 100, 1000], 'log'), 100), 0.5);
    assert.equal(middle(pointScale([1, 3, 5], 'linear'), 3), 0.5);
    assert.equal(middle(pointScale([7], 'linear'), 7), 0.5);
  });
});
