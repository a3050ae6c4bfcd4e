// mocha's spec reporter, which besides leaves the totals where npm test finds
// them, does not let a forgotten handle keep the run alive, and when it is
// interrupted runs the hooks that take away what the tests have started.
const { writeFileSync } = require('node:fs');
const Mocha = require('mocha');

/** Long enough for sockets to close; whatever is open after that was forgotten. */
const EXIT_GRACE_MS = 10_000;
const { EVENT_RUN_END } = Mocha.Runner.constants;

module.exports = class extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    process.once('SIGINT', () => runner.abort());
    runner.once(EVENT_RUN_END, () => {
      const { passes, failures, pending } = runner.stats;
      const file = process.env.NMRFS_TEST_TOTALS;
      if (file !== undefined) {
        const totals = { passed: passes, failed: failures, skipped: pending, failures: this.failures.map(inOneLine) };
        writeFileSync(file, JSON.stringify(totals));
      }
      setTimeout(() => {
        process.stderr.write(`still open after the last test: ${process.getActiveResourcesInfo().join(', ')}\n`);
        process.exit(1);
      }, EXIT_GRACE_MS).unref();
    });
  }
};

/** The title of a test that failed, and the first line of why. */
function inOneLine(test) {
  const [why] = String(test.err?.message ?? '').split('\n', 1);
  return `${test.fullTitle()}: ${why}`;
}
