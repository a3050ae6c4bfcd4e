// Splits a line of the shell into words: by spaces, but for what stands in quotes or behind a backslash.

export class UnclosedQuote extends Error {
  override readonly name = 'UnclosedQuote';
}

const ESCAPES: Record<string, string> = { n: '\n', t: '\t' };

/** What stands behind # is a comment. Throws UnclosedQuote. */
export function wordsOf(line: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quote: string | null = null;
  for (let at = 0; at < line.length; at++) {
    const sign = line.charAt(at);
    if (sign === '\\' && quote !== "'") {
      const next = line.charAt(++at);
      word = (word ?? '') + (quote === '"' ? (ESCAPES[next] ?? next) : next);
    } else if (quote !== null) {
      if (sign === quote) quote = null;
      else word = (word ?? '') + sign;
    } else if (sign === '"' || sign === "'") {
      quote = sign;
      word ??= '';
    } else if (/\s/.test(sign)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (sign === '#' && word === null) {
      break;
    } else {
      word = (word ?? '') + sign;
    }
  }
  if (quote !== null) throw new UnclosedQuote(`the quote ${quote} is not closed`);
  if (word !== null) words.push(word);
  return words;
}
