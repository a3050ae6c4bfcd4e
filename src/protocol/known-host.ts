// By which names a server lets a browser call it.

export interface KnownBy {
  /** Where the server listens, as configured. */
  address: string;
  /** The cluster's secret is asked for. */
  hasSecret: boolean;
}

/**
 * A name that somebody else gives out may lead here too, and their page would then be of our own origin. Without a secret, which
 * browsers keep apart by name, only numbers and names of this machine are answered.
 */
export function isKnownHost(host: string | undefined, { address, hasSecret }: KnownBy): boolean {
  if (hasSecret || host === undefined) return true;
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return name === 'localhost' || /^[\d.]+$/.test(name) || name.startsWith('[') || address.startsWith(`${name}:`);
}
