// A measuring program: a process of its own that does the work that it is sent, prepared first, begun when all programs are ready.
import { prepare, type Work } from './work.js';

export type ToProgram = { kind: 'prepare'; work: Work } | { kind: 'begin' };
export type FromProgram =
  | { kind: 'ready' }
  /** Times on the system's monotonic clock, which all processes share. */
  | { kind: 'done'; amount: number; startMs: number; endMs: number }
  | { kind: 'failed'; reason: string };

let prepared: () => number = () => 0;

process.on('message', (message: ToProgram) => {
  try {
    if (message.kind === 'prepare') {
      prepared = prepare(message.work);
      tell({ kind: 'ready' });
      return;
    }
    const startMs = nowMs();
    const amount = prepared();
    tell({ kind: 'done', amount, startMs, endMs: nowMs() });
  } catch (error) {
    tell({ kind: 'failed', reason: String(error) });
  }
});

// Whoever started it has ended.
process.on('disconnect', () => process.exit(0));

function tell(message: FromProgram): void {
  process.send?.(message);
}

function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
