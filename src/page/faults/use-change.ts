// A change that somebody has asked for: whether it is under way, and what came of it.
import { useState } from 'preact/hooks';

export interface Change {
  /** What is being done now, in words; null while nothing is. */
  underWay: string | null;
  /** What came of the last one. */
  outcome: { isGood: boolean; text: string } | null;
  make(words: string, action: () => Promise<string>): void;
}

export function useChange(): Change {
  const [underWay, setUnderWay] = useState<string | null>(null);
  const [outcome, setOutcome] = useState<Change['outcome']>(null);
  const make = (words: string, action: () => Promise<string>): void => {
    setUnderWay(words);
    setOutcome(null);
    action()
      .then(
        (text) => setOutcome({ isGood: true, text }),
        (error: unknown) => setOutcome({ isGood: false, text: error instanceof Error ? error.message : String(error) }),
      )
      .finally(() => setUnderWay(null));
  };
  return { underWay, outcome, make };
}
