// Removes the results of clients from the dedupe table: of a client that says
// goodbye, and of one that a mediator has seen idle for long. Its idleness shows
// in the number of its requests, not in times: clocks of hosts differ.
import type { Commands, Queries } from '../protocol/services/metadata.js';
import type { Draft } from './state/draft.js';
import { clientFromKey, resultsOf, wholeTable } from './state/keys.js';
import { sequenceOf } from './state/result-row.js';
import type { Tables } from './state/tables.js';

const ALL = Number.POSITIVE_INFINITY;

export function forgetResults(
  { view, tables }: Draft,
  { client, requests }: Commands['forgetResults']['request'],
): Commands['forgetResults']['result'] {
  if (requests !== undefined && requestsOf(tables, client) !== requests) return {};
  const { from, to } = resultsOf(client);
  for (const { key } of view.scan(from, to, ALL)) view.remove(key);
  return {};
}

export function clients(tables: Tables, { after, limit }: Queries['clients']['request']): Queries['clients']['result'] {
  const found: Queries['clients']['result']['clients'] = [];
  const { from, to } = wholeTable('results');
  let start = after === undefined ? from : resultsOf(after).to;
  while (found.length < limit) {
    const [row] = tables.view.scan(start, to, 1);
    if (row === undefined) break;
    const client = clientFromKey(row.key);
    found.push({ client, requests: requestsOf(tables, client) });
    start = resultsOf(client).to;
  }
  return { clients: found };
}

/** How many requests the client has made: the sum of the last numbers of its slots. */
function requestsOf({ view }: Tables, client: string): number {
  const { from, to } = resultsOf(client);
  return view.scan(from, to, ALL).reduce((sum, { value }) => sum + sequenceOf(value), 0);
}
