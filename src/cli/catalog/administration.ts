// Servers of a catalog that leave in order.
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandFailure } from '../failure.js';
import { print } from '../output.js';
import { CatalogClient } from './catalog-client.js';

const STOP_LIMIT_MS = 15_000;
const LOOK_MS = 50;

/** Resolves when it does not answer any more. */
export async function stopServer(address: string): Promise<void> {
  const client = new CatalogClient([address], process.env.NMRFS_SECRET);
  const { status, content } = await client.at(address, 'POST', '/stop');
  if (status >= 300) throw new CommandFailure(`${address}: ${String(content.message ?? status)}`);
  const endMs = Date.now() + STOP_LIMIT_MS;
  while (await answers(client, address)) {
    if (Date.now() > endMs) throw new CommandFailure(`${address} has not stopped within ${STOP_LIMIT_MS / 1000} s`);
    await sleep(LOOK_MS);
  }
  print(`${address} has stopped`);
}

export async function removeServer(address: string, name: string): Promise<void> {
  const client = new CatalogClient([address], process.env.NMRFS_SECRET);
  await client.learn();
  const { status, content } = await client.request('POST', `/remove?${new URLSearchParams({ name })}`);
  if (status >= 300) throw new CommandFailure(String(content.message ?? status));
  print(
    typeof content.message === 'string' ? content.message : `${name} is out of the catalog; its process can be stopped`,
  );
}

async function answers(client: CatalogClient, address: string): Promise<boolean> {
  return client.at(address, 'GET', '/status').then(
    () => true,
    () => false,
  );
}
