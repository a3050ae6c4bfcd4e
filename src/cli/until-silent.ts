// Waits for the end of a server whose parent may be gone, so that nobody can wait
// for its process: it has ended when nobody listens at its address.
import { connect } from 'node:net';
import { parseAddress } from '../config/values.js';

/** How long an orphaned server waits for the mediator, which may still have to write something, to end first. */
const ORPHAN_GRACE_MS = 20_000;
const ORPHAN_POLL_MS = 100;

/** Resolves when nobody listens at the address any more, or after a while. */
export async function untilSilent(address: string): Promise<void> {
  const end = performance.now() + ORPHAN_GRACE_MS;
  while (performance.now() < end && (await listens(address))) {
    await new Promise((resolve) => setTimeout(resolve, ORPHAN_POLL_MS));
  }
}

function listens(address: string): Promise<boolean> {
  const target = parseAddress(address);
  if (target === undefined) {
    return Promise.resolve(false);
  }
  return new Promise((resolve) => {
    const socket = connect(target);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
