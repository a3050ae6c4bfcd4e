// The answer to a question, while it is asked, when it has come, or why none has.
// One that failed is asked again when the server comes back.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { returns } from '../live/live.js';
import { useStore } from '../live/store.js';

export interface Asked<T> {
  answer: T | null;
  /** In words. */
  failure: string | null;
  isAsking: boolean;
  again(): void;
}

interface State<T> {
  key: string | null;
  answer: T | null;
  failure: string | null;
  /** How often the server had come back when it was asked. */
  returned: number;
}

/** @param key of what is asked: another one asks anew, and drops what was answered; null asks nothing */
export function useAnswer<T>(key: string | null, question: () => Promise<T>): Asked<T> {
  const [state, setState] = useState<State<T>>({ key: null, answer: null, failure: null, returned: 0 });
  const [turn, setTurn] = useState(0);
  const asking = useRef(question);
  asking.current = question;
  const [isAsking, setAsking] = useState(false);
  useEffect(() => {
    if (key === null) return;
    let isOver = false;
    const returned = returns.value;
    setAsking(true);
    asking
      .current()
      .then(
        (answer) => {
          if (!isOver) setState({ key, answer, failure: null, returned });
        },
        (error: unknown) => {
          const failure = error instanceof Error ? error.message : String(error);
          if (!isOver) {
            setState((before) => ({ key, answer: before.key === key ? before.answer : null, failure, returned }));
          }
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
  const returned = useStore(returns);
  const isWorthAsking = state.failure !== null && state.returned < returned;
  useEffect(() => {
    if (isWorthAsking) again();
  }, [isWorthAsking, returned, again]);
  const isCurrent = state.key === key;
  return { answer: isCurrent ? state.answer : null, failure: isCurrent ? state.failure : null, isAsking, again };
}
