// How something is: a colour, a sign and a word, each of which is enough.
import type { ComponentChildren } from 'preact';

export type Mood = 'good' | 'busy' | 'bad' | 'idle';

const SIGNS: Record<Mood, string> = { good: '✓', busy: '↻', bad: '✕', idle: '–' };

export function StateMark({ mood, children }: { mood: Mood; children: ComponentChildren }) {
  return (
    <span class={`mark ${mood}`}>
      <span class="sign" aria-hidden="true">
        {SIGNS[mood]}
      </span>
      {children}
    </span>
  );
}
