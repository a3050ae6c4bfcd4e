// Addresses as they stand in the configuration, and the name of the protocol
// that connections switch to.

/** What the Upgrade header asks for. */
export const UPGRADE_PROTOCOL = 'nmrfs';

/** Of HOST:PORT, with brackets around an IPv6 host. Throws on anything else. */
export function splitAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) throw new Error(`${address} is not HOST:PORT`);
  return { host: match[1] ?? match[2] ?? '', port };
}
