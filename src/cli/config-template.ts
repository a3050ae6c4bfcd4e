// The nmrfs.yaml that `nmrfs init` writes: every key, each with what it means
// and what fits.
import { defaultQuorums } from '../config.js';

export interface TemplateOptions {
  dataServers: number;
  /** 1 when absent. */
  metaservers?: number;
  /** 1 when absent. */
  mediators?: number;
  /** The first mediator's port; the metaservers' begin 10 above, the data servers' 21 above. */
  basePort: number;
}

/** The text of a configuration for a cluster on this machine. */
export function configTemplate({ dataServers, metaservers = 1, mediators = 1, basePort }: TemplateOptions): string {
  const { readQuorum, writeQuorum } = defaultQuorums(dataServers);
  const serverList = (count: number, name: string, firstPort: number): string =>
    Array.from({ length: count }, (_, index) => serverEntry(`${name}${index + 1}`, firstPort + index)).join('');
  return `# The configuration of one nmrfs cluster. Use the same file on every host.
# Relative directories count from the folder of this file.
# "nmrfs config get KEY" and "nmrfs config set KEY=VALUE" read and change it and keep the comments.

# The name of the cluster, for people.
cluster: nmrfs

${mediatorKeys(mediators, basePort)}
# The metaservers, 1 to 9 of them: names, attributes, block maps, witnesses. Each holds all of it, and one leads. While more than
# half of them are there everything goes on: 3 survive the loss of one, 5 of two. 2 survive none, as 1 does.
metaservers:
${serverList(metaservers, 'meta', basePort + 10)}
# How several metaservers agree: raft or viewstamped (among themselves), or etcd (by a log in an etcd that you run, version 3.4.17
# or later; then one metaserver is enough, and etcd must be there).
metadataProtocol: raft

# Where etcd is, with metadataProtocol: etcd. All keys begin with the prefix. user, and tls with its files in PEM, where etcd wants
# them: an authority other than the system's (ca), and who the metaservers are (certificate and key).
# etcd:
#   endpoints: [http://127.0.0.1:2379]
#   prefix: /nmrfs
#   user: { name: nmrfs, password: change me }
#   tls: { ca: ca.pem, certificate: client.pem, key: client-key.pem }

# The data servers, 1 to 15 of them: each holds one replica of every block.
dataservers:
${serverList(dataServers, 'data', basePort + 21)}
# How many replicas must agree on a block before a read returns it (Qr).
# With N data servers: 1 to N, and readQuorum + writeQuorum must be more than N.
# N - Qr bad replicas are survived once all servers hold a block, Qw - Qr right after a write.
readQuorum: ${readQuorum}

# How many replicas must have stored a block before a write succeeds (Qw). 1 to N.
writeQuorum: ${writeQuorum}

# The size of the blocks of files that are made from now on: a power of two from 4 KiB to 1 MiB.
blockSize: 128 KiB

# Which replicas a read checks: all (every live one) or quorum (only as many as Qr needs; "nmrfs scrub" finds the rest).
audit: all

# What a write does while fewer than writeQuorum servers can be reached: fail (at once, EIO) or block (until they are back).
onWriteQuorumLost: fail

# A server that does not answer within this time counts as down. Milliseconds, 100 to 600000.
deadlineMs: 3000

# Allows corrupt, terminate and restart, which destroy on purpose. For trying out and for tests.
testHooks: true

# Whoever talks to a server must know this. Needed as soon as one address is not a loopback address. At least 16 characters.
# secret: change me, at least 16 characters

# What the logs tell: debug, info, warn or error.
logLevel: info

mount:
  # Where "nmrfs up" mounts the file system; the folder is made if need be.
  directory: mnt
  # How it is mounted: kernel (the kernel's own protocol), fuse-native (the package of that name), or auto (kernel).
  binding: auto
  # Whether other users may use the mount; the permissions of the files apply to them. true, false, or auto (when root
  # mounts). An ordinary user may only say true where /etc/fuse.conf has the line user_allow_other.
  allowOther: auto
  # Whether the mount refuses all changes.
  readOnly: false
  # Whether reading moves access times: noatime (never), or relatime (when the file has changed since, and once a day; a
  # change of its metadata each time).
  accessTimes: noatime
  # How long the kernel may trust names and attributes without asking again. Milliseconds, 0 to 3600000, or auto: 10000,
  # since the mount is told of other mounts' changes at once; 1000 with fuse-native, which is not told.
  attributeTimeoutMs: auto
  # How much written data may wait in memory before writers wait: 1 MiB to 4096 MiB.
  maximumDirtyBytes: 64 MiB

# Sockets, logs and the supervisor's own file.
runDirectory: nmrfs-data/run
`;
}

function mediatorKeys(count: number, port: number): string {
  if (count === 1) {
    return `# The mediator: the one server that clients talk to. HOST:PORT; an IPv6 address wants quotes: "[::1]:7600".
# Instead of it, "mediators:" may list up to 5, each with a name and an address, of which one is active.
mediator:
  address: 127.0.0.1:${port}
`;
  }
  const entries = Array.from(
    { length: count },
    (_, index) => `  - name: mediator${index + 1}\n    address: 127.0.0.1:${port + index}\n`,
  );
  return `# The mediators, 1 to 5 of them: the servers that clients talk to. One is active, the others wait to take over from it.
# HOST:PORT; an IPv6 address wants quotes: "[::1]:7600".
mediators:
${entries.join('')}`;
}

function serverEntry(name: string, port: number): string {
  return `  - name: ${name}\n    address: 127.0.0.1:${port}\n    directory: nmrfs-data/${name}\n`;
}
