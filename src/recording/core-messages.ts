// What members of a group say to each other goes several in one call, `{ messages: [ … ] }`, each with its kind and its term.

export interface CoreMessage {
  kind?: unknown;
  term?: unknown;
  isTrial?: unknown;
}

/** None, for anything else. */
export function coreMessages(body: unknown): CoreMessage[] {
  const { messages } = (body ?? {}) as { messages?: unknown };
  return Array.isArray(messages) ? (messages as CoreMessage[]) : [];
}

/** `append`, or `append, heartbeat`; undefined for none. */
export function kindsOf(messages: readonly CoreMessage[]): string | undefined {
  const kinds = [...new Set(messages.map(({ kind }) => String(kind)))];
  return kinds.length === 0 ? undefined : kinds.join(', ');
}
