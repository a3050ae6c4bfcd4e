#!/usr/bin/env node
// The nmrfs command as npm installs it.
import { existsSync } from 'node:fs';

const built = new URL('../dist/bundle/cli/main.js', import.meta.url);
if (existsSync(built)) {
  await import(built.href);
} else {
  process.stderr.write('nmrfs: not built yet; run "npm run build" first\n');
  process.exitCode = 1;
}
