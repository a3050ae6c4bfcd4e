// The answer to a question, while it is asked, when it has come, or why none has.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';

export interface Asked<T> {
  answer: T | null;
  /** In words. */
  failure: string | null;
  isAsking: boolean;
  again(): void;
}

/** @param key of what is asked: another one asks anew, and drops what was answered; null asks nothing */
export function useAnswer<T>(key: string | null, question: () => Promise<T>): Asked<T> {
  const [state, setState] = useState<{ key: string | null; answer: T | null; failure: string | null }>({
    key: null,
    answer: null,
    failure: null,
  });
  const [turn, setTurn] = useState(0);
  const asking = useRef(question);
  asking.current = question;
  const [isAsking, setAsking] = useState(false);
  useEffect(() => {
    if (key === null) return;
    let isOver = false;
    setAsking(true);
    asking
      .current()
      .then(
        (answer) => {
          if (!isOver) setState({ key, answer, failure: null });
        },
        (error: unknown) => {
          const failure = error instanceof Error ? error.message : String(error);
          if (!isOver) setState((before) => ({ key, answer: before.key === key ? before.answer : null, failure }));
        },
      )
      .finally(() => {
        if (!isOver) setAsking(false);
      });
    return () => {
      isOver = true;
    };
  }, [key, turn]);
  const again = useCallback(() => setTurn((before) => before + 1), []);
  const isCurrent = state.key === key;
  return { answer: isCurrent ? state.answer : null, failure: isCurrent ? state.failure : null, isAsking, again };
}
