// Both forms of a catalog's configuration, and what is said of one that does not fit.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseCatalogConfig, serverWithId } from '../../../src/catalog/configuration/parse-config.js';
import { ConfigError } from '../../../src/config.js';

const FILE = '/etc/catalog';
const YAML = `cluster: test
protocol: lazy
servers:
  - { name: a, address: "127.0.0.1:9001", directory: data/a }
  - { name: b, address: "127.0.0.1:9002", directory: data/b }
`;
const TEXT = 'M: 2\nmetadata0: localhost:9001\nmetadata1: localhost:9002\n';

function problems(text: string, secret?: string): string {
  try {
    parseCatalogConfig(text, FILE, secret);
    return '';
  } catch (error) {
    assert(error instanceof ConfigError, String(error));
    return error.message;
  }
}

describe('the configuration of a catalog', () => {
  it('is read from YAML', () => {
    const config = parseCatalogConfig(YAML, FILE);
    assert.equal(config.protocol, 'lazy');
    assert.deepEqual(config.servers[0], { name: 'a', address: '127.0.0.1:9001', directory: '/etc/data/a' });
    assert.equal(config.testHooks, true);
    assert.equal(serverWithId(config, 'b').name, 'b');
    assert.equal(serverWithId(config, '2').name, 'b');
  });

  it("is read from SurfStore's text, which means raft in memory, counted from 0", () => {
    const config = parseCatalogConfig(`# five\r\n\r\n${TEXT}`, FILE);
    assert.equal(config.protocol, 'raft');
    assert.equal(config.memory, true);
    assert.deepEqual(
      config.servers.map(({ address }) => address),
      ['localhost:9001', 'localhost:9002'],
    );
    assert.equal(serverWithId(config, '0').name, 'metadata0');
    assert.throws(() => serverWithId(config, '2'), /2: there is no such server; .* 0 to 1/);
  });

  for (const [what, text, found] of [
    [
      'a server that is missing',
      'M: 3\nmetadata0: h:1\nmetadata2: h:2\n'.replaceAll('h:', 'localhost:'),
      /catalog:1: metadata1 is missing/,
    ],
    ['a server that is there twice', `${TEXT}metadata1: localhost:9003\n`, /catalog:4: metadata1: .*twice/],
    [
      'an address that is there twice',
      'M: 2\nmetadata0: localhost:1\nmetadata1: localhost:1\n',
      /catalog:3: .*metadata0's already/,
    ],
    ['a server too many', `${TEXT}metadata2: localhost:9003\n`, /catalog:1: metadata2 is one too many, since M is 2/],
    ['an unknown key', `${TEXT}block: localhost:9003\n`, /catalog:4: block: unknown key/],
    ['a line that is none', `${TEXT}metadata2\n`, /catalog:4: must be KEY: VALUE/],
    ['an address that is none', 'M: 1\nmetadata0: nowhere\n', /catalog:2: .*must be HOST:PORT/],
    ['a host that others can reach', 'M: 1\nmetadata0: example.org:9001\n', /NMRFS_SECRET/],
    ['a number of servers that is none', 'M: none\n', /catalog:1: M: none must be a number/],
  ] as const) {
    it(`in SurfStore's form says what is wrong with ${what}`, () => {
      assert.match(problems(text), found);
    });
  }

  it("in SurfStore's form takes other hosts with a secret", () => {
    assert.equal(problems('M: 1\nmetadata0: example.org:9001\n', 'a secret of some length'), '');
  });

  for (const [what, change, found] of [
    ['an unknown key', ['cluster: test', 'clutser: test'], /catalog:1: clutser: unknown key; did you mean cluster/],
    ['an unknown protocol', ['lazy', 'paxos'], /catalog:2: protocol must be one of raft/],
    ['a name that is there twice', ['name: b', 'name: a'], /catalog:5: a is there twice/],
    ['an address that is there twice', ['9002', '9001'], /catalog:5: .*is a's already/],
    ['a folder that is there twice', ['data/b', 'data/a'], /catalog:5: data\/a is a's already/],
    ['a missing folder', [', directory: data/b', ''], /catalog:5: b: directory is missing/],
    ['a host without a secret', ['127.0.0.1:9002', '10.0.0.1:9002'], /catalog:5: .*the key secret is needed/],
    [
      'quorums of another protocol',
      ['protocol: lazy', 'protocol: lazy\nreadQuorum: 2'],
      /catalog:3: readQuorum is for/,
    ],
    ['a quorum of too many', ['protocol: lazy', 'protocol: quorum\nwriteQuorum: 3'], /catalog:3: writeQuorum must be/],
    [
      'time-outs that do not fit',
      ['lazy', 'raft\nheartbeatMs: 200\nelectionTimeoutMs: 400'],
      /more than twice heartbeatMs/,
    ],
  ] as const) {
    it(`in YAML says what is wrong with ${what}`, () => {
      assert.match(problems(YAML.replace(change[0], change[1])), found);
    });
  }

  it('in YAML needs no folders in memory', () => {
    const text = YAML.replaceAll(/, directory: data\/./g, '').replace('protocol: lazy', 'memory: true');
    assert.equal(parseCatalogConfig(text, FILE).servers[0]?.directory, undefined);
  });
});
