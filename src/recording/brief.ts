// Values in a few words, for traces and recordings.

const MOST_CHARACTERS = 60;
const MOST_ELEMENTS = 6;
const MOST_DEPTH = 6;

/** On one line, without control characters. */
export function brief(value: unknown, depth = 0): string {
  if (value instanceof Uint8Array) return bytesText(value);
  if (typeof value === 'string') return JSON.stringify(shortened(value));
  if (Array.isArray(value)) return listText(value, depth);
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    if (members.length === 0) return '{}';
    if (depth >= MOST_DEPTH) return '{…}';
    const { kind } = value as { kind?: unknown };
    const shown = members
      .filter(([name]) => name !== 'kind')
      .map(([name, member]) => `${name} ${brief(member, depth + 1)}`);
    return `${typeof kind === 'string' ? kind : ''}{${shown.join(', ')}}`;
  }
  return String(value);
}

function listText(list: readonly unknown[], depth: number): string {
  const shown = list.slice(0, MOST_ELEMENTS).map((element) => brief(element, depth + 1));
  const rest = list.length > MOST_ELEMENTS ? [`… ${list.length - MOST_ELEMENTS} more`] : [];
  return `[${[...shown, ...rest].join(', ')}]`;
}

function bytesText(bytes: Uint8Array): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, MOST_CHARACTERS));
    if (!/\p{Cc}/u.test(text))
      return `${JSON.stringify(text)}${bytes.length > MOST_CHARACTERS ? `… ${bytes.length} bytes` : ''}`;
  } catch {
    // No text: their number is all that can be said.
  }
  return `${bytes.length} bytes`;
}

function shortened(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}
