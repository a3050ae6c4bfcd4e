// What shows that the suite of the cores is worth something: each of these faults of a program is noticed.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { runGroup } from './core-suite.js';
import { readScript, runScript } from './run-script.js';
import { RAFT_SABOTAGES, type Sabotage, VIEWSTAMPED_SABOTAGES } from './sabotages.js';

const MOST_SEEDS = 100;

for (const [protocol, sabotages] of Object.entries({ raft: RAFT_SABOTAGES, viewstamped: VIEWSTAMPED_SABOTAGES })) {
  describe(`groups of ${protocol}`, () => {
    for (const sabotage of sabotages) {
      it(`notice ${sabotage.what}`, function () {
        this.timeout(120_000);
        notice(sabotage);
      });
    }
  });
}

/** Throws unless the script, or some seed, shows the fault. */
function notice({ make, tamper = {}, by, found }: Sabotage): void {
  if ('script' in by) {
    assert.throws(
      () => runScript(readScript(by.script), make),
      ({ cause }: Error) => found.test(String(cause)),
    );
    return;
  }
  for (let seed = 1; seed <= MOST_SEEDS; seed++) {
    try {
      runGroup(make, { kind: by.faults, seed, size: 3 + (seed % 3), units: 1000 }, tamper);
    } catch (error) {
      assert.match(String(error), found);
      return;
    }
  }
  assert.fail(`not noticed by ${MOST_SEEDS} seeds`);
}
