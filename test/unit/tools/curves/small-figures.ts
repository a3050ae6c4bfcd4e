// Figures of a curve with two points, for tests of what is drawn of them.
import type { CurveFigures } from '../../../../tools/curves/figures.js';

export const SMALL: CurveFigures = {
  stamp: { date: '2026-01-02', machine: 'a machine', length: 'quick' },
  points: [1_000, 1_000_000],
  series: [
    {
      name: 'create',
      unit: '/s',
      rounds: [
        [900, 2_000, 1_000],
        [400, 600],
      ],
      processorMs: [
        [{ mediator: 0.5, metaservers: 0.25, dataservers: 0 }],
        [
          { mediator: 1, metaservers: 0.5, dataservers: 0.1 },
          { mediator: 3, metaservers: 0.5, dataservers: 0.3 },
        ],
      ],
    },
    { name: 'read <cold>', unit: 'MB/s', rounds: [[80], []] },
  ],
};
