// When a leader counts as gone. Clocks of several machines are not compared: whoever would lead has seen, for so long by its own
// clock, that the leader gave no sign of life, and the leader is certain for less than that from before it asked to give one.
// A lease of etcd alone would not do: a member of etcd that takes itself for the leader prolongs it without asking the others.
import type { Look } from './shared-log.js';

export const BEAT_MS = 200;
/** A leader answers for so long after it began to give its last sign of life. */
export const CERTAIN_MS = 800;
/** Two clocks may run apart by a tenth, and a little more. */
export const SILENCE_MS = 1000;

export class Silence {
  /** The revision of the last sign of life; 0 while there is no leader. */
  #revision = -1;
  #sinceMs = 0;
  #hasSign = false;

  /** What etcd has answered. */
  saw({ leader }: Pick<Look, 'leader'>, nowMs: number): void {
    const revision = leader?.revision ?? 0;
    if (revision === this.#revision) return;
    this.#hasSign = this.#revision >= 0 && leader !== null;
    this.#revision = revision;
    this.#sinceMs = nowMs;
  }

  /** etcd has not answered: the leader could not give a sign of life either. */
  interrupted(): void {
    this.#revision = -1;
    this.#hasSign = false;
  }

  /** Whether a leader has given a sign of life that this server has seen come. */
  get hasSign(): boolean {
    return this.#hasSign;
  }

  /** Whether nobody is certain any more to lead. */
  isOver(nowMs: number): boolean {
    return this.#revision >= 0 && nowMs - this.#sinceMs >= SILENCE_MS;
  }
}
