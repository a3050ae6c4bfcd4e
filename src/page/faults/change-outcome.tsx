// What is being done, and what came of it, for eyes and for screen readers.
import type { Change } from './use-change.js';

export function ChangeOutcome({ underWay, outcome }: Change) {
  return (
    <p role="status" class={outcome?.isGood === false ? 'failure' : 'outcome'}>
      {underWay === null ? (outcome?.text ?? '') : `${underWay} …`}
    </p>
  );
}
