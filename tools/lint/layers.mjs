// Which folder of src may import which, and who may touch the outside world.
// `npm run lint` checks it (check-layers.mjs); imports of types count.

/**
 * A row imports itself and the rows above it. Names in one row don't import each other. `.` is the rest of the folder, and a
 * name without a folder behind it is a file.
 */
export const LAYERS = {
  '': [
    ['runtime'],
    ['protocol'],
    ['config', 'replication', 'explain', 'namespace'],
    ['recording'],
    ['mediator', 'metaserver', 'dataserver', 'fuse-client', 'catalog', 'page'],
    ['cli'],
  ],
  runtime: [['.'], ['node']],
  explain: [['words'], ['events'], ['.']],
  recording: [
    ['format', 'brief', 'core-messages'],
    ['reader', 'writer'],
    ['collection', 'timeline', 'sentences'],
    ['.'],
  ],
  protocol: [['.'], ['values'], ['services'], ['wire'], ['following'], ['http', 'page']],
  namespace: [['view'], ['state'], ['.']],
  replication: [['core'], ['log'], ['member'], ['link'], ['group']],
  'replication/core': [['members'], ['core'], ['.'], ['raft', 'viewstamped', 'primary-backup']],
  mediator: [
    ['settings', 'durations', 'epochs'],
    ['counters'],
    ['replicas', 'metadata', 'sessions'],
    ['voting', 'early'],
    ['writing', 'upkeep'],
    ['files', 'admin'],
    ['page'],
    ['.'],
    ['succession'],
  ],
  'fuse-client': [
    ['mount-settings', 'posix'],
    ['cache', 'session', 'mounting'],
    ['write-back'],
    ['handles'],
    ['inodes'],
    ['files'],
    ['operations'],
    ['kernel', 'fuse-native'],
    ['.'],
  ],
  'fuse-client/kernel': [['codec'], ['device', 'known'], ['handlers'], ['.']],
  metaserver: [
    ['engine'],
    ['storage', 'requests'],
    ['active-mediator', 'disk-health', 'metrics', 'xml-rpc'],
    ['executor'],
    ['led-namespace'],
    ['metaserver'],
    ['group'],
    ['etcd'],
    ['.'],
  ],
  catalog: [
    ['map'],
    ['catalog'],
    ['storage', 'blocks', 'configuration', 'trace'],
    ['peers'],
    ['ordered', 'quorum', 'lazy'],
    ['open-catalog', 'faces'],
    ['.'],
  ],
  dataserver: [['limits'], ['format'], ['log', 'index'], ['reading'], ['writing'], ['compaction'], ['.']],
};

const PASSED_IN = 'is passed in: use';
const ADAPTERS = ['runtime/node', 'cli'];
/** Reads one file of a package, as its import would. */
const HASH = 'protocol/values/hash';
/** Node has no other reader of a descriptor by polling than net.Socket. */
const POLL = 'fuse-client/kernel/device/poll';
const DEVICES = ['fuse-client/kernel', 'fuse-client/fuse-native', 'fuse-client/mounting'];

/** Modules, or folders of src, that only some folders and files may import, and what all others do instead. */
export const RESERVED = [
  {
    names: ['node:fs', 'node:fs/promises'],
    for: [...ADAPTERS, ...DEVICES, HASH],
    instead: `The disk ${PASSED_IN} runtime.disk.`,
  },
  {
    names: ['node:net', 'node:http', 'node:https', 'node:http2', 'node:tls', 'node:dgram'],
    for: [...ADAPTERS, POLL],
    instead: `The network ${PASSED_IN} runtime.network.`,
  },
  {
    names: ['node:timers', 'node:timers/promises'],
    for: ADAPTERS,
    instead: `Time ${PASSED_IN} runtime.clock.after or sleep.`,
  },
  { names: ['node:perf_hooks'], for: ADAPTERS, instead: `Time ${PASSED_IN} runtime.clock.monotonicMs.` },
  { names: ['node:child_process'], for: ['cli', ...DEVICES], instead: 'Only the command line starts processes.' },
  { names: ['node:worker_threads'], for: ['cli'], instead: 'Only the command line starts threads.' },
  { names: ['pino'], for: ADAPTERS, instead: `The log ${PASSED_IN} runtime.log.` },
  {
    names: ['runtime/node'],
    for: [...ADAPTERS, 'mediator/main', 'metaserver/main', 'dataserver/main'],
    instead: 'Adapters are for main.ts and the command line: use the Runtime that is passed in.',
  },
];
