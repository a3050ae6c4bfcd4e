import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'mocha';
import { afterExit } from '../../../src/cli/supervisor/restart-policy.js';

const PROCESS = new URL('./faulty-process.js', import.meta.url).pathname;

describe("a program's fault in background work", () => {
  it('ends the process with its stack in the log, and the supervisor starts it anew', function () {
    this.timeout(20_000);
    const { status, stderr } = spawnSync(process.execPath, [PROCESS], { encoding: 'utf8', timeout: 15_000 });
    const lines = stderr.trim().split('\n');
    assert.equal(lines.length, 1, stderr);
    const { level, event, reason, stack } = JSON.parse(lines[0] ?? '') as Record<string, string>;
    assert.deepEqual([level, event], ['error', 'process.defect']);
    assert.match(reason ?? '', /^TypeError: /);
    assert.match(stack ?? '', /at .*countBlocks .*faulty-process/);
    assert.equal(afterExit(status, 0, false).action, 'start');
    assert.equal(status, 1);
  });
});
