// The configuration file: what fits, and what is said about what does not.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { configTemplate } from '../../src/cli/config-template.js';
import { ConfigError, defaultQuorums, parseConfig } from '../../src/config.js';
import { describeMetadata, describeSurvival } from '../../src/explain/survival.js';

const FILE = '/etc/nmrfs/nmrfs.yaml';
const TEMPLATE = configTemplate({ dataServers: 5, basePort: 7600 });

const MINIMAL = `
mediator: { address: "127.0.0.1:7600" }
metaservers: [{ name: meta1, address: "127.0.0.1:7610", directory: data/meta1 }]
dataservers: [{ name: data1, address: "127.0.0.1:7621", directory: /srv/data1 }]
`;

const ETCD = `${MINIMAL}metadataProtocol: etcd\netcd: { endpoints: ["http://127.0.0.1:2379"] }\n`;

function problems(text: string): string[] {
  try {
    parseConfig(text, FILE);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return [...error.lines];
  }
  return [];
}

/** The template with one piece replaced. */
function changed(from: string, to: string): string {
  assert.ok(TEMPLATE.includes(from), from);
  return TEMPLATE.replace(from, to);
}

/** A configuration of that many data servers with further lines. */
function cluster(servers: number, ...lines: string[]): string {
  const list = Array.from(
    { length: servers },
    (_, index) => `  - { name: data${index + 1}, address: "127.0.0.1:${7701 + index}", directory: d${index + 1} }\n`,
  );
  const fixed = MINIMAL.split('\n').slice(0, 3).join('\n');
  return `${fixed}\ndataservers:\n${list.join('')}${lines.join('\n')}\n`;
}

describe('the configuration file', () => {
  it('fits as init writes it, for every number of data servers', () => {
    for (let dataServers = 1; dataServers <= 15; dataServers++) {
      const config = parseConfig(configTemplate({ dataServers, basePort: 7600 }), FILE);
      assert.equal(config.dataservers.length, dataServers);
      assert.equal(config.writeQuorum, dataServers);
    }
  });

  it('fits as init writes it, for every number of metaservers, whose ports and directories are their own', () => {
    for (let metaservers = 1; metaservers <= 9; metaservers++) {
      const config = parseConfig(configTemplate({ dataServers: 15, metaservers, basePort: 7600 }), FILE);
      assert.deepEqual(
        config.metaservers,
        Array.from({ length: metaservers }, (_, index) => ({
          name: `meta${index + 1}`,
          address: `127.0.0.1:${7610 + index}`,
          directory: `/etc/nmrfs/nmrfs-data/meta${index + 1}`,
        })),
      );
      assert.equal(config.metadataProtocol, 'raft');
    }
  });

  it('says what several metaservers survive', () => {
    assert.equal(describeMetadata(1), undefined);
    assert.equal(describeMetadata(2), 'Names and attributes need all 2 metaservers.');
    assert.equal(describeMetadata(3), 'Names and attributes survive the loss of 1 of 3 metaservers.');
    assert.equal(describeMetadata(4), 'Names and attributes survive the loss of 1 of 4 metaservers.');
    assert.equal(describeMetadata(9), 'Names and attributes survive the loss of 4 of 9 metaservers.');
    assert.equal(
      describeMetadata(3, 'etcd'),
      'Names and attributes survive the loss of 2 of 3 metaservers, while etcd is there.',
    );
  });

  it('says where etcd is, with absolute paths of what its connections need', () => {
    const plain = parseConfig(ETCD, FILE);
    assert.deepEqual(plain.etcd, { endpoints: ['http://127.0.0.1:2379'], prefix: '/nmrfs' });
    const text = ETCD.replace(
      '["http://127.0.0.1:2379"]',
      '["https://etcd:2379"], prefix: /a, user: { name: n, password: p }, tls: { ca: ca.pem, certificate: /c.pem, key: k.pem }',
    );
    assert.deepEqual(parseConfig(text, FILE).etcd, {
      endpoints: ['https://etcd:2379'],
      prefix: '/a',
      user: { name: 'n', password: 'p' },
      tls: { ca: '/etc/nmrfs/ca.pem', certificate: '/c.pem', key: '/etc/nmrfs/k.pem' },
    });
  });

  it('fits with the lines on etcd that init writes as an example', () => {
    const example = TEMPLATE.replace('metadataProtocol: raft', 'metadataProtocol: etcd')
      .replace(/^# (etcd:| {2}(?:endpoints|prefix|user|tls): )/gm, '$1')
      .replace('http://127.0.0.1:2379', 'https://127.0.0.1:2379');
    assert.equal(parseConfig(example, FILE).etcd?.user?.name, 'nmrfs');
  });

  it('needs no more than the servers; everything else has a default', () => {
    const config = parseConfig(MINIMAL, FILE);
    assert.equal(config.blockSizeBytes, 131_072);
    assert.deepEqual([config.readQuorum, config.writeQuorum], [1, 1]);
    assert.deepEqual([config.audit, config.onWriteQuorumLost, config.testHooks], ['all', 'fail', false]);
    assert.equal(config.mount.binding, 'auto');
    assert.equal(config.secret, undefined);
  });

  it('counts relative directories from its own folder and leaves absolute ones', () => {
    const config = parseConfig(MINIMAL, FILE);
    assert.equal(config.metaservers[0]?.directory, '/etc/nmrfs/data/meta1');
    assert.equal(config.dataservers[0]?.directory, '/srv/data1');
    assert.equal(config.mount.directory, '/etc/nmrfs/mnt');
    assert.equal(config.runDirectory, '/etc/nmrfs/nmrfs-data/run');
  });

  it('reads sizes in bytes and in units', () => {
    for (const [text, bytes] of [
      ['4 KiB', 4096],
      ['131072', 131_072],
      ['1 MiB', 1_048_576],
      ['"64kib"', 65_536],
    ] as const) {
      assert.equal(parseConfig(`${MINIMAL}blockSize: ${text}\n`, FILE).blockSizeBytes, bytes);
    }
  });

  it('completes a quorum that is left out to one that fits', () => {
    for (const [lines, expected] of [
      [[], [3, 5]],
      [['readQuorum: 2'], [2, 5]],
      [['writeQuorum: 4'], [3, 4]],
      [['writeQuorum: 2'], [4, 2]],
    ] as const) {
      const { readQuorum, writeQuorum } = parseConfig(cluster(5, ...lines), FILE);
      assert.deepEqual([readQuorum, writeQuorum], expected);
    }
  });

  it('accepts exactly the quorums that overlap, for every N', () => {
    for (let servers = 1; servers <= 15; servers += 2) {
      for (let read = 0; read <= servers + 1; read++) {
        for (const write of [0, 1, servers - 1, servers, servers + 1]) {
          const fits = read >= 1 && read <= servers && write >= 1 && write <= servers && read + write > servers;
          const found = problems(cluster(servers, `readQuorum: ${read}`, `writeQuorum: ${write}`));
          assert.equal(found.length === 0, fits, `N ${servers} Qr ${read} Qw ${write}: ${found.join('; ')}`);
        }
      }
    }
  });

  const refusals: [what: string, text: string, said: RegExp][] = [
    [
      'an unknown key',
      changed('readQuorum: 3', 'readQorum: 3'),
      /:53: readQorum: unknown key; did you mean readQuorum\?/,
    ],
    [
      'an unknown key of a group',
      changed('  binding:', '  bindin:'),
      /: mount\.bindin: unknown key; did you mean binding\?/,
    ],
    [
      'a key like no other',
      changed('audit: all', 'zebra: 1'),
      /: zebra: unknown key; known keys here: cluster, mediator/,
    ],
    [
      'quorums that do not overlap',
      changed('writeQuorum: 5', 'writeQuorum: 2'),
      /readQuorum 3 \+ writeQuorum 2 must be more than 5/,
    ],
    [
      'a quorum of more than N',
      changed('readQuorum: 3', 'readQuorum: 6'),
      /readQuorum 6: must be a whole number from 1 to 5/,
    ],
    [
      'a quorum of zero',
      changed('readQuorum: 3', 'readQuorum: 0'),
      /readQuorum: 0 does not fit: it must be a whole number/,
    ],
    ['a quorum with a fraction', changed('readQuorum: 3', 'readQuorum: 3.5'), /readQuorum: 3\.5 does not fit/],
    ['a quorum in words', changed('readQuorum: 3', 'readQuorum: three'), /readQuorum: "three" does not fit/],
    ['no data server', `${MINIMAL.split('dataservers')[0]}dataservers: []`, /dataservers: a list of 0 does not fit/],
    ['16 data servers', cluster(16), /dataservers: a list of 16 does not fit: it must have 1 to 15 entries/],
    [
      'no metaserver',
      MINIMAL.replace(/metaservers: .*/, 'metaservers: []'),
      /metaservers: a list of 0 does not fit: it must have 1 to 9 entries/,
    ],
    [
      '10 metaservers',
      MINIMAL.replace(
        /metaservers: .*/,
        `metaservers: [${Array.from({ length: 10 }, (_, n) => `{ name: m${n}, address: "127.0.0.1:${n + 1}", directory: m${n} }`).join(', ')}]`,
      ),
      /metaservers: a list of 10 does not fit: it must have 1 to 9 entries/,
    ],
    [
      'two metaservers in one directory',
      cluster(1).replace('}]', '}, { name: m, address: "127.0.0.1:1", directory: data/meta1/m }]'),
      /metaservers\[1\]\.directory: .* must not be the same or lie in one another/,
    ],
    [
      'a protocol that there is not',
      changed('metadataProtocol: raft', 'metadataProtocol: paxos'),
      /metadataProtocol: "paxos" does not fit: it must be one of raft, viewstamped/,
    ],
    [
      'etcd without saying where',
      `${MINIMAL}metadataProtocol: etcd\n`,
      /etcd: missing; metadataProtocol: etcd needs it/,
    ],
    [
      'etcd where it is not used',
      ETCD.replace('metadataProtocol: etcd', ''),
      /etcd: only with metadataProtocol: etcd; here it is raft/,
    ],
    [
      'an unknown key of etcd',
      ETCD.replace('"] }', '"], prefiks: a }'),
      /etcd\.prefiks: unknown key; did you mean prefix\?/,
    ],
    [
      'an unknown key of its user',
      ETCD.replace('"] }', '"], user: { nam: a } }'),
      /etcd\.user\.nam: unknown key; did you mean name\?/,
    ],
    [
      'a password that is no text',
      ETCD.replace('"] }', '"], user: { name: a, password: 1 } }'),
      /etcd\.user\.password: the value does not fit/,
    ],
    [
      'an endpoint with a path',
      ETCD.replace('2379', '2379/v3'),
      /etcd\.endpoints\[0\]: .* it must be an address of etcd, such as http/,
    ],
    ['no endpoint', ETCD.replace('"http://127.0.0.1:2379"', ''), /etcd\.endpoints: a list of 0 does not fit/],
    [
      'tls to an endpoint without',
      ETCD.replace('"] }', '"], tls: { ca: a } }'),
      /etcd\.tls: only where all endpoints begin with https/,
    ],
    [
      'a certificate without a key',
      ETCD.replace('http:', 'https:').replace('"] }', '"], tls: { certificate: a } }'),
      /etcd\.tls: certificate and key belong together/,
    ],
    [
      'a name used twice',
      changed('name: data2', 'name: data1'),
      /dataservers\[1\]\.name: "data1" is taken by dataservers\[0\]\.name/,
    ],
    ['a name of another process', changed('name: data2', 'name: mediator'), /must not be one of mediator, supervisor/],
    [
      'a name that leads elsewhere',
      changed('name: data2', 'name: ../data2'),
      /dataservers\[1\]\.name: "\.\.\/data2" does not fit/,
    ],
    ['an address used twice', changed('1:7622', '1:7621'), /dataservers\[1\]\.address: "127\.0\.0\.1:7621" is taken/],
    [
      'an address without a port',
      changed('127.0.0.1:7600', '127.0.0.1'),
      /mediator\.address: "127\.0\.0\.1" does not fit/,
    ],
    ['port 0', changed('127.0.0.1:7600', '127.0.0.1:0'), /port from 1 to 65535/],
    ['port 65536', changed('127.0.0.1:7600', '127.0.0.1:65536'), /port from 1 to 65535/],
    [
      'a store used twice',
      changed('nmrfs-data/data2', 'nmrfs-data/data1'),
      /must not be the same or lie in one another/,
    ],
    [
      'a store within a store',
      changed('nmrfs-data/data2', 'nmrfs-data/data1/x'),
      /must not be the same or lie in one another/,
    ],
    ['a mount above a store', changed('directory: mnt', 'directory: nmrfs-data'), /mount\.directory/],
    [
      'a run directory in the mount',
      changed('runDirectory: nmrfs-data/run', 'runDirectory: mnt/run'),
      /runDirectory.*mount\.directory/,
    ],
    [
      'a block size that is no power of two',
      changed('128 KiB', '100 KiB'),
      /blockSize: "100 KiB" does not fit: it must be a power of two/,
    ],
    ['a block size that is too small', changed('128 KiB', '2 KiB'), /from 4 KiB to 1 MiB/],
    ['a block size that is too large', changed('128 KiB', '2 MiB'), /from 4 KiB to 1 MiB/],
    [
      'a word that is none of the choices',
      changed('audit: all', 'audit: some'),
      /audit: "some" does not fit: it must be one of all, quorum/,
    ],
    ['a missing address', changed('    address: 127.0.0.1:7622\n', ''), /dataservers\[1\]\.address: missing/],
    [
      'an address of the world without a secret',
      changed('127.0.0.1:7621', '10.0.0.1:7621'),
      /"10\.0\.0\.1:7621" can be reached from other machines and needs a secret/,
    ],
    [
      'test hooks for the world',
      changed('127.0.0.1:7600', '0.0.0.0:7600'),
      /needs a secret, all the more with testHooks: true/,
    ],
    [
      'a short secret',
      changed('# secret: change me, at least 16 characters', 'secret: short'),
      /secret: the value does not fit: it must be at least 16/,
    ],
    ['a list for the whole', '- 1\n', /the file: a list of 1 does not fit/],
    ['no YAML', 'a: [', /:1: not YAML: /],
    ['a key given twice', 'cluster: a\ncluster: b\n', /not YAML: .*unique/],
    [
      'an IPv6 address without quotes',
      changed('127.0.0.1:7600', '[::1]:7600'),
      /:11: \[::1\]:7600 wants quotes: "\[::1\]:7600"; a bare \[ begins a list$/,
    ],
    [
      'one in a group in braces',
      MINIMAL.replace('"127.0.0.1:7610"', '[fe80::1]:7610'),
      /:3: \[fe80::1\]:7610 wants quotes: "\[fe80::1\]:7610"/,
    ],
    [
      'one without a port',
      changed('127.0.0.1:7600', '[::1]'),
      /a list of 1 does not fit: .* or "\[::1\]:7621" with its quotes/,
    ],
    [
      'a text that begins with a sign of YAML',
      changed('# secret: change me', 'secret: @change me'),
      /:\d+: not YAML: .*reserved character @; a text that begins with @ wants quotes$/,
    ],
    [
      'a text that YAML takes for a reference',
      changed('# secret: change me', 'secret: *change-me'),
      /:\d+: not YAML: .*; a text that begins with \* wants quotes$/,
    ],
    ['one that is all reference', `${MINIMAL}secret: *changeme\n`, /:5: a text that begins with \* wants quotes$/],
    [
      'a secret of digits',
      changed('# secret: change me, at least 16 characters', 'secret: 1234567890123456'),
      /must be a text, in quotes/,
    ],
  ];
  for (const [what, text, said] of refusals) {
    it(`refuses ${what}`, () => {
      const found = problems(text);
      assert.ok(
        found.some((line) => said.test(line)),
        `${String(said)} is not in:\n${found.join('\n')}`,
      );
      assert.ok(found.every((line) => line.startsWith(FILE) && !line.includes('\n')));
    });
  }

  it('takes addresses of the world with a secret, and never prints it', () => {
    const secret = 'secret: 0123456789abcdef';
    const open = changed('127.0.0.1:7621', '10.0.0.1:7621').replace(
      '# secret: change me, at least 16 characters',
      secret,
    );
    assert.equal(parseConfig(open, FILE).secret, '0123456789abcdef');
    const wrong = open.replace(secret, 'secret: [0123456789abcdef]');
    assert.ok(problems(wrong).every((line) => !line.includes('0123456789')));
  });

  it('takes IPv6 addresses in quotes', () => {
    assert.equal(parseConfig(changed('127.0.0.1:7600', '"[::1]:7600"'), FILE).mediators[0]?.address, '[::1]:7600');
    assert.deepEqual(problems(changed('cluster: nmrfs', 'cluster: nmrfs # not [::1]:7600')), []);
  });

  it('says of an IPv6 address without quotes nothing else', () => {
    assert.equal(problems(changed('127.0.0.1:7600', '[::1]:7600')).length, 1);
    assert.ok(problems(changed('# secret: change me', 'secret: *change-me')).every((line) => !line.includes('change')));
  });

  it('names every problem, not only the first', () => {
    const text = changed('readQuorum: 3', 'readQuorum: x').replace('audit: all', 'audit: none');
    assert.equal(problems(text).length, 2);
  });

  it('does not choke on any text', () => {
    for (const text of [
      '',
      '\0',
      '%',
      '!!js/function "x"',
      '&a [*a]',
      '{'.repeat(100),
      'mediator: {__proto__: {address: 1}}',
    ]) {
      assert.ok(problems(text).length > 0, text.slice(0, 20));
    }
  });
});

describe('what a configuration survives', () => {
  it('follows from N, Qr and Qw', () => {
    assert.deepEqual(defaultQuorums(5), { readQuorum: 3, writeQuorum: 5 });
    assert.deepEqual(defaultQuorums(1), { readQuorum: 1, writeQuorum: 1 });
    assert.match(
      describeSurvival(5, { readQuorum: 3, writeQuorum: 5 }),
      /survive 2 bad or missing replicas of 5 .*writes need all 5 servers/,
    );
    assert.match(
      describeSurvival(5, { readQuorum: 3, writeQuorum: 4 }),
      /2 bad .*, 1 right after a write; .*up to 1 server down/,
    );
    assert.match(describeSurvival(1, { readQuorum: 1, writeQuorum: 1 }), /survive 0 bad/);
  });
});
