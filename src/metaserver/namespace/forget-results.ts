// The end of kept results: of a client that goes, and of clients that went
// without saying so.
import type { Commands } from '../../protocol/metadata.js';
import type { Draft } from '../state/draft.js';
import { resultsOf, wholeTable } from '../state/keys.js';
import { decodeResult } from '../state/result-row.js';

const ALL = Number.POSITIVE_INFINITY;
/** Longer than any request waits. Measured by commands' own times: a state machine has no other clock. */
const KEPT_NS = 24n * 3600n * 1_000_000_000n;

export function forgetResults(
  { view, timeNs }: Draft,
  { client }: Commands['forgetResults']['request'],
): Commands['forgetResults']['result'] {
  if (client !== null) {
    const { from, to } = resultsOf(client);
    for (const { key } of view.scan(from, to, ALL)) view.remove(key);
  }
  const { from, to } = wholeTable('results');
  for (const { key, value } of view.scan(from, to, ALL)) {
    if (decodeResult(value).timeNs < timeNs - KEPT_NS) view.remove(key);
  }
  return {};
}
