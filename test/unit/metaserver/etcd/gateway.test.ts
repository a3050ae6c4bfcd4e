// The way to etcd: users and their tokens, members that are away or hang, and what is said of each kind of trouble.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type EtcdError, errorOfAnswer, errorOfSilence } from '../../../../src/metaserver/etcd/etcd-error.js';
import { Gateway } from '../../../../src/metaserver/etcd/gateway.js';
import { KeyValues } from '../../../../src/metaserver/etcd/kv.js';
import { FakeEtcd } from '../../../support/fake-etcd.js';
import { ManualClock } from '../../../support/manual-clock.js';

const USER = { name: 'nmrfs', password: 'right' };
const [A, B, C] = ['http://a:1', 'http://b:1', 'http://c:1'] as const;

function world(endpoints: readonly string[], user?: { name: string; password: string }) {
  const clock = new ManualClock();
  const etcd = new FakeEtcd(clock);
  const gateway = new Gateway({ endpoints, http: etcd, clock, ...(user === undefined ? {} : { user }) });
  return { clock, etcd, values: new KeyValues(gateway) };
}

describe('the gateway of etcd', () => {
  it('gets a token for its user, and another one when that has expired', async () => {
    const { etcd, values } = world([A], USER);
    etcd.user = USER;
    etcd.put('k/1', 'v');
    assert.equal((await values.startingWith('k/')).length, 1);
    etcd.forgetTokens();
    assert.equal((await values.startingWith('k/')).length, 1);
    const asked = etcd.asked.filter((path) => path.endsWith('/v3/auth/authenticate'));
    assert.equal(asked.length, 2);
  });

  it('says what is wrong with a user, and tries anew when asked again', async () => {
    const { etcd, values } = world([A], { ...USER, password: 'wrong' });
    etcd.user = USER;
    for (let time = 0; time < 2; time++) {
      await assert.rejects(values.startingWith('k/'), (error: EtcdError) => {
        assert.match(error.message, /etcd knows no such user with that password: mend etcd\.user in the configuration/);
        return error.trouble === 'refused';
      });
    }
    const without = world([A]);
    without.etcd.user = USER;
    await assert.rejects(without.values.startingWith('k/'), /etcd wants a user: name one in the configuration/);
    await assert.rejects(world([A], USER).values.startingWith('k/'), /etcd has no users/);
  });

  it('asks the next member when one hangs, and that one first from then on', async () => {
    const { clock, etcd, values } = world([A, B, C]);
    etcd.hanging.add(A);
    const asked = values.startingWith('k/');
    await clock.advance(300);
    assert.deepEqual(await asked, []);
    await values.startingWith('k/');
    assert.deepEqual(
      etcd.asked.map((each) => each.slice(0, A.length)),
      [A, B, B],
    );
  });

  it('tells that no member answers, when all have been asked', async () => {
    const { etcd, values } = world([A, B, C]);
    etcd.isAway = true;
    await assert.rejects(values.startingWith('k/'), (error: EtcdError) => error.trouble === 'away');
    assert.equal(etcd.asked.length, 3);
    etcd.isAway = false;
    assert.deepEqual(await values.startingWith('k/'), []);
  });

  const cases: [status: number, body: string, trouble: string, says: RegExp][] = [
    [429, said(8, 'etcdserver: mvcc: database space exceeded'), 'refused', /alarm NOSPACE.*etcdctl alarm disarm/],
    [403, said(7, 'etcdserver: permission denied'), 'refused', /may not read and write below etcd\.prefix/],
    [503, said(14, 'etcdserver: request timed out'), 'away', /request timed out/],
    [503, said(14, 'etcdserver: no leader'), 'away', /no leader/],
    [429, said(8, 'etcdserver: too many requests'), 'away', /too many requests/],
    [400, said(3, 'etcdserver: request is too large'), 'refused', /request is too large/],
    [404, said(5, 'etcdserver: requested lease not found'), 'gone', /lease not found/],
    [404, 'Not Found\n', 'refused', /this is no etcd of version 3\.4 or later: status 404, "Not Found\\n"/],
    [400, 'Client sent an HTTP request to an HTTPS server.\n', 'refused', /HTTP request to an HTTPS server/],
    [502, '<html>bad gateway</html>', 'away', /status 502/],
  ];
  for (const [reason, says] of [
    ['unable to verify the first certificate', /name the authority, etcd\.tls\.ca \(unable to verify/],
    ['SSL routines:ssl3_read_bytes:sslv3 alert bad certificate', /etcd\.tls\.certificate and etcd\.tls\.key/],
    ['connect ECONNREFUSED 127.0.0.1:1', /^http:\/\/a:1: connect ECONNREFUSED 127\.0\.0\.1:1$/],
  ] as const) {
    it(`knows ${reason}`, () => assert.match(errorOfSilence(A, reason).message, says));
  }

  for (const [status, body, trouble, says] of cases) {
    it(`knows ${body.slice(0, 80).trim()}`, () => {
      const error = errorOfAnswer(A, { status, body });
      assert.equal(error.trouble, trouble);
      assert.match(error.message, says);
      assert.ok(error.message.startsWith(`${A}: `));
    });
  }
});

function said(code: number, message: string): string {
  return JSON.stringify({ error: message, message, code });
}
