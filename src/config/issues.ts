// What is wrong with a configuration, said so that it can be mended: file and
// line, key, value, and what fits.
import { distance } from 'fastest-levenshtein';
import { type Document, isMap, isPair, isScalar, isSeq, type LineCounter, type Node } from 'yaml';
import type * as z from 'zod';
import { pathText } from './path-text.js';
import { knownKeys } from './schema.js';

type Path = readonly PropertyKey[];

/** Finds the line of a key in the file. */
export class Locator {
  readonly #file: string;
  readonly #document: Document.Parsed;
  readonly #lineCounter: LineCounter;

  constructor(file: string, document: Document.Parsed, lineCounter: LineCounter) {
    this.#file = file;
    this.#document = document;
    this.#lineCounter = lineCounter;
  }

  /** FILE:LINE of the key, or of its nearest ancestor when it is missing. */
  locate(path: Path): string {
    let node: unknown = this.#document.contents;
    let offset: number | undefined;
    for (const key of path) {
      const child: { at: number | undefined; value: unknown } | undefined = childOf(node, key);
      if (child === undefined) {
        break;
      }
      offset = child.at ?? offset;
      node = child.value;
    }
    return offset === undefined ? this.#file : `${this.#file}:${this.#lineCounter.linePos(offset).line}`;
  }
}

function childOf(node: unknown, key: PropertyKey): { at: number | undefined; value: unknown } | undefined {
  if (isMap(node)) {
    const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === key);
    return pair === undefined ? undefined : { at: (pair.key as Node).range?.[0], value: pair.value };
  }
  if (isSeq(node) && typeof key === 'number' && node.items[key] !== undefined) {
    const value: unknown = node.items[key];
    return { at: (value as Node).range?.[0], value };
  }
  return undefined;
}

/** One line per problem of an issue. `given` is the file's content as plain values. */
export function issueLines(issue: z.core.$ZodIssue, given: unknown, locator: Locator): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return `${locator.locate(path)}: ${pathText(path)}: unknown key; ${suggestion(key, knownKeys(issue.path))}`;
    });
  }
  const value = valueAt(given, issue.path);
  const at = `${locator.locate(issue.path)}: ${pathText(issue.path)}`;
  return [
    value === undefined || value === null
      ? `${at}: missing; it ${issue.message}`
      : `${at}: ${valueText(issue.path, value)} does not fit: it ${issue.message}`,
  ];
}

/** Names the known key that was probably meant, or all of them. */
export function suggestion(key: string, known: readonly string[]): string {
  const nearest = known
    .map((name) => ({ name, distance: distance(key.toLowerCase(), name.toLowerCase()) }))
    .sort((left, right) => left.distance - right.distance)[0];
  return nearest !== undefined && nearest.distance <= Math.max(2, Math.floor(key.length / 3))
    ? `did you mean ${nearest.name}?`
    : `known keys here: ${known.join(', ')}`;
}

function valueText(path: Path, value: unknown): string {
  // A secret is never printed.
  if (path[0] === 'secret' || path.at(-1) === 'password') {
    return 'the value';
  }
  return Array.isArray(value) ? `a list of ${value.length}` : (JSON.stringify(value) ?? String(value));
}

function valueAt(given: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
    given,
  );
}
