// The steps of a story as they come.
import { StateMark } from '../parts/state-mark.js';
import type { Step } from './runs/stories.js';

export function StorySteps({ steps }: { steps: readonly Step[] }) {
  return (
    <ol class="story" aria-live="polite">
      {steps.map((step, at) => (
        <li key={`${at} ${step.text}`}>
          {step.text}
          {step.held === undefined ? null : <Held {...step.held} />}{' '}
          {step.isAsPromised === undefined ? null : (
            <StateMark mood={step.isAsPromised ? 'good' : 'bad'}>
              {step.isAsPromised ? 'as promised' : 'NOT as promised'}
            </StateMark>
          )}
        </li>
      ))}
    </ol>
  );
}

function Held({ entries }: NonNullable<Step['held']>) {
  if (entries === null) return <span class="soft"> does not answer.</span>;
  if (entries.length === 0) return <span class="soft"> holds nothing of it.</span>;
  return (
    <span class="soft">
      {' '}
      holds{' '}
      {entries.map(({ index, version, length, hash }) => (
        <span key={`${index} ${version}`} class="mono">
          block {index}, version {version}, {length} bytes, {hash}
        </span>
      ))}
    </span>
  );
}
