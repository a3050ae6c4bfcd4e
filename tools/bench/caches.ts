// Cold starts for what is measured next.
import { execFileSync, spawnSync } from 'node:child_process';

/** Writes dirty pages back and drops clean ones, so that the next job starts cold; without root it only syncs. */
export function dropCaches(): void {
  execFileSync('sync');
  spawnSync('sh', ['-c', 'echo 3 > /proc/sys/vm/drop_caches'], { stdio: 'ignore' });
}
