// What a configuration need not say.
export const DEFAULTS = {
  cluster: 'catalog',
  /** At most ten calls a second from one idle server to another. */
  heartbeatMs: 125,
  electionTimeoutMs: 300,
  gossipMs: 5000,
  logLevel: 'info',
} as const;

/** The course asks for ten; a protocol that asks all of them gets slower with each. */
export const MOST_SERVERS = 15;
