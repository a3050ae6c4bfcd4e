// Tests that mount need /dev/fuse and root. Elsewhere they are skipped with a
// reason; in CI that would hide a broken machine, so there it is a failure.
import { accessSync, constants } from 'node:fs';
import type { Context } from 'mocha';

export function requireFuse(context: Context): void {
  const reason = whyNot();
  if (reason === null) return;
  if (process.env.CI === 'true') throw new Error(`${reason}, and CI must run every test`);
  process.stdout.write(`skipped: ${reason}\n`);
  // Where nothing can be mounted there is nothing to test; CI has failed above.
  context.skip();
}

function whyNot(): string | null {
  if (process.getuid?.() !== 0) return 'mounting needs root';
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return null;
  } catch {
    return 'there is no usable /dev/fuse';
  }
}
