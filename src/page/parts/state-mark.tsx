// How something is: a colour, a sign and a word, each of which is enough.
import type { ComponentChildren } from 'preact';

export type Mood = 'good' | 'busy' | 'bad' | 'idle';

const SIGNS: Record<Mood, string> = { good: '✓', busy: '↻', bad: '✕', idle: '–' };

interface Props {
  mood: Mood;
  /** In place of the mood's. */
  sign?: string;
  children: ComponentChildren;
}

export function StateMark({ mood, sign = SIGNS[mood], children }: Props) {
  return (
    <span class={`mark ${mood}`}>
      <span class="sign" aria-hidden="true">
        {sign}
      </span>
      {children}
    </span>
  );
}
