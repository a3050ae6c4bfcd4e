// The suite that every mount must pass: the cases of mount-cases.ts against
// whatever a factory makes. A skip prints its reason and is run all the same:
// when its case passes, the skip is no longer needed and fails.
import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { mountCases } from './mount-cases.js';

export interface MountUnderTest {
  directory: string;
  done(): Promise<void>;
}

export interface Skip {
  reason: string;
  cases: string[];
}

const CASE_MS = 60_000;

export function mountSuite(
  name: string,
  factory: () => Promise<MountUnderTest>,
  skips: Skip[] = [],
  cases = mountCases,
): void {
  describe(name, () => {
    let mount: MountUnderTest | undefined;

    before(async function () {
      this.timeout(CASE_MS);
      mount = await factory();
    });

    after(async function () {
      this.timeout(CASE_MS);
      await mount?.done();
    });

    const known = new Set(mountCases.map((one) => one.name));
    for (const { cases } of skips) {
      for (const skipped of cases) if (!known.has(skipped)) throw new Error(`a skip names no case: ${skipped}`);
    }

    for (const [index, one] of cases.entries()) {
      it(one.name, async function () {
        this.timeout(CASE_MS);
        assert.ok(mount);
        const directory = join(mount.directory, `case-${index}`);
        await mkdir(directory);
        const skip = skips.find(({ cases }) => cases.includes(one.name));
        try {
          if (skip === undefined) await one.run(directory);
          else await assert.rejects(one.run(directory), `passes: this skip is no longer needed: ${skip.reason}`);
        } finally {
          // libfuse keeps a file that was removed before its last release under a hidden name until then.
          await rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
        }
        // Only cases that a binding's own description lists, each with its reason, and that failed above as it says: so a skip
        // that is no longer needed fails the suite.
        if (skip !== undefined) {
          process.stdout.write(`skipped: ${skip.reason}\n`);
          // It has failed as listed: counted as a skip, not as passed.
          this.skip();
        }
      });
    }
  });
}
