// The shape of what is told about an event.

/**
 * `{server}` stands for that field of the event, and `{server|a server}` says «a server» where the event has no such field.
 * @property means what has happened, one sentence
 * @property todo what to do about it, one sentence; null where nothing is to be done
 */
export interface EventText {
  means: string;
  todo: string | null;
}

export type EventTexts = Readonly<Record<string, EventText>>;

export function text(means: string, todo: string | null = null): EventText {
  return { means, todo };
}
