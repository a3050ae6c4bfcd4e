// What is wrong with a file that is no YAML, for people who don't know YAML's
// rules by heart: mostly a text that wants quotes. No value is shown but
// addresses, since one may be the secret.
import { type Document, isAlias, type LineCounter, visit } from 'yaml';

/** An IPv6 address with its port, outside of quotes and comments. */
const BARE_ADDRESS = /\[[0-9A-Fa-f:.]+\]:\d+/;
const QUOTED_OR_COMMENT = /"(?:[^"\\]|\\.)*"|'[^']*'|(?:^|\s)#.*$/g;
/** A value that begins with what means something else to YAML. */
const SPECIAL_START = /^[\s-]*(?:[\w.-]+:\s+)([@`%&*!|>])/;

/** A line per problem, with the number of its line in the file; none when `document` can be read. */
export function yamlProblems(
  text: string,
  document: Document.Parsed,
  lineCounter: LineCounter,
): { line: number; message: string }[] {
  const lineAt = (offset: number): number => lineCounter.linePos(offset).line;
  const lines = text.split('\n');
  if (document.errors.length > 0) {
    // One bare address is several errors to YAML, and none of them says so.
    const bare = lines.flatMap((content, index) => bareAddress(content, index + 1));
    return bare.length > 0
      ? bare
      : document.errors.map(({ message, pos }) => {
          const line = lineAt(pos[0]);
          return { line, message: `not YAML: ${message}${startHint(lines[line - 1] ?? '')}` };
        });
  }
  const problems: { line: number; message: string }[] = [];
  visit(document, {
    Alias(_, node) {
      if (isAlias(node) && node.resolve(document) === undefined) {
        problems.push({ line: lineAt(node.range?.[0] ?? 0), message: 'a text that begins with * wants quotes' });
      }
    },
  });
  return problems;
}

function bareAddress(content: string, line: number): { line: number; message: string }[] {
  const [address] = BARE_ADDRESS.exec(content.replaceAll(QUOTED_OR_COMMENT, '')) ?? [];
  return address === undefined
    ? []
    : [{ line, message: `${address} wants quotes: "${address}"; a bare [ begins a list` }];
}

function startHint(content: string): string {
  const [, sign] = SPECIAL_START.exec(content) ?? [];
  return sign === undefined ? '' : `; a text that begins with ${sign} wants quotes`;
}
