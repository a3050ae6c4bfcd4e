// What a request claims to be, looked at before it is checked.

/** Its name; '' of one without. */
export function claimedName(message: unknown): string {
  return String(fieldOf(message, 'name') ?? '');
}

/** A field of the query or command itself; undefined where there is none. */
export function claimedField(message: unknown, field: string): unknown {
  return fieldOf(fieldOf(message, 'request'), field);
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, field) : undefined;
}
