import assert from 'node:assert/strict';
import { ballotKind, explainBallot, explainVote, type SeenBallot, type SeenRepair } from '../../../src/explain/vote.js';

const GOOD: SeenBallot = { state: 'present', hash: 1n };
const BAD: SeenBallot = { state: 'present', hash: 2n };
const WORSE: SeenBallot = { state: 'present', hash: 3n };
const BALLOTS: Readonly<Record<string, SeenBallot>> = {
  '=': GOOD,
  x: BAD,
  y: WORSE,
  a: { state: 'absent' },
  d: { state: 'damaged' },
  u: { state: 'unreachable' },
  '?': { state: 'pending' },
};

/** One letter a replica, data1 first; then Qr. */
const WITH_WITNESS: readonly [ballots: string, readQuorum: number, sentences: string, repairs?: SeenRepair[]][] = [
  ['=====', 3, 'All five agree and match the witness, so the read is answered. Nothing is to be repaired.'],
  [
    '=x===',
    3,
    'Four of five agree and match the witness, so the read is answered. data2 holds other bytes; they were repaired 12 ms later.',
    [{ server: 'data2', afterMs: 12 }],
  ],
  [
    '=x===',
    3,
    'Four of five agree and match the witness, so the read is answered. data2 holds other bytes; a read or a scrub repairs it.',
  ],
  [
    '=x===',
    3,
    'Four of five agree and match the witness, so the read is answered. data2 holds other bytes; the mediator is repairing it.',
    [{ server: 'data2', afterMs: null }],
  ],
  [
    'xy===',
    3,
    'Three of five agree and match the witness, so the read is answered. data1 and data2 hold other bytes, each its own; both were repaired within 40 ms.',
    [
      { server: 'data1', afterMs: 12 },
      { server: 'data2', afterMs: 40 },
    ],
  ],
  [
    'xa===',
    3,
    'Three of five agree and match the witness, so the read is answered. data1 holds other bytes; data2 does not have this version; data1 is repaired already.',
    [{ server: 'data1', afterMs: 12 }],
  ],
  [
    'da===',
    3,
    'Three of five agree and match the witness, so the read is answered. data2 does not have this version; data1 cannot read its copy; a read or a scrub repairs them.',
  ],
  [
    '===uu',
    3,
    'Three of five agree and match the witness, so the read is answered. data4 and data5 do not answer and have no vote.',
  ],
  [
    '==xxu',
    2,
    'Two of five agree and match the witness, so the read is answered. data3 and data4 hold other bytes, all the same; data5 does not answer and has no vote; a read or a scrub repairs them.',
  ],
  [
    '=xyau',
    1,
    'One of five matches the witness, which is enough, so the read is answered. data2 and data3 hold other bytes, each its own; data4 does not have this version; data5 does not answer and has no vote; a read or a scrub repairs them.',
  ],
  [
    '==xya',
    3,
    'Only two of five match the witness and three must (Qr), so the read is refused (EIO), since a guess could be wrong. data3 and data4 hold other bytes, each its own; data5 does not have this version; writing the whole block heals it.',
  ],
  [
    '==uuu',
    3,
    'Only two of five match the witness and three must (Qr), so the read is refused (EIO), since a guess could be wrong. data3, data4 and data5 do not answer and have no vote; it can be read again when enough of them are back, and writing the whole block heals it.',
  ],
  [
    '=xxxy',
    3,
    'Three agree with each other, but the witness contradicts them, and only one of five matches it where three must, so the read is refused (EIO), since a guess could be wrong. data2, data3, data4 and data5 hold other bytes; writing the whole block heals it.',
  ],
  [
    'xxxaa',
    3,
    'Three agree with each other, but the witness contradicts them, and nobody matches it where three must, so the read is refused (EIO), since a guess could be wrong. data1, data2 and data3 hold other bytes, all the same; data4 and data5 do not have this version; writing the whole block heals it.',
  ],
  [
    'aauuu',
    3,
    'None of five matches the witness and three must (Qr), so the read is refused (EIO), since a guess could be wrong. data1 and data2 do not have this version; data3, data4 and data5 do not answer and have no vote; it can be read again when enough of them are back, and writing the whole block heals it.',
  ],
  [
    '==x??',
    3,
    'Two of five match the witness so far, so the vote goes on: one more must. data3 holds other bytes; data4 and data5 have still to answer.',
  ],
  ['=====?', 4, 'Five of six agree and match the witness, so the read is answered. data6 has still to answer.'],
  ['=', 1, 'The only replica matches the witness, so the read is answered. Nothing is to be repaired.'],
  [
    'd',
    1,
    'None of one matches the witness and one must (Qr), so the read is refused (EIO), since a guess could be wrong. data1 cannot read its copy; writing the block whole heals it.',
  ],
];

const NOBODY =
  'No replica could be asked, so the read is refused (EIO). It can be read again when enough data servers are back.';

const WITHOUT_WITNESS: typeof WITH_WITNESS = [
  [
    '===x=',
    3,
    'Four of five agree, so what they hold counts; there is no witness yet. data4 holds other bytes; a read or a scrub repairs it.',
  ],
  [
    '==xxu',
    2,
    'It is a tie, two against two, and there is no witness that breaks it, so the read is refused (EIO), since a guess could be wrong. data1, data2, data3 and data4 hold two different contents; data5 does not answer and has no vote; writing the whole block heals it.',
  ],
  [
    '==x??',
    2,
    'Two of five agree so far, so the vote goes on: one more must. data3 holds other bytes; data4 and data5 have still to answer.',
  ],
  [
    '==xyu',
    3,
    'Only two of five agree and three must (Qr), so the read is refused (EIO), since a guess could be wrong. data3 and data4 hold other bytes, each its own; data5 does not answer and has no vote; it can be read again when enough of them are back, and writing the whole block heals it.',
  ],
];

function explained(letters: string, readQuorum: number, witness: bigint | null, repairs?: SeenRepair[]): string {
  const ballots = [...letters].map((letter, at) => {
    const ballot = BALLOTS[letter];
    assert(ballot !== undefined, letter);
    return { server: `data${at + 1}`, ballot };
  });
  return explainVote({ witness, ballots }, readQuorum, repairs);
}

describe('a vote in two sentences', () => {
  for (const [letters, readQuorum, sentences, repairs] of WITH_WITNESS) {
    it(`${letters}, Qr ${readQuorum}${repairs === undefined ? '' : ', repairs'}`, () => {
      assert.equal(explained(letters, readQuorum, 1n, repairs), sentences);
    });
  }
  for (const [letters, readQuorum, sentences] of WITHOUT_WITNESS) {
    it(`${letters}, Qr ${readQuorum}, without a witness`, () => {
      assert.equal(explained(letters, readQuorum, null), sentences);
    });
  }

  it('nobody, Qr 3', () => {
    assert.equal(explained('', 3, 1n), NOBODY);
  });

  it('agrees with the vote of the mediator about every choice of ballots of up to four replicas', async () => {
    const { vote } = await import('../../../src/mediator/voting/vote.js');
    const kinds = Object.keys(BALLOTS);
    const choices = (length: number): string[] =>
      length === 0 ? [''] : choices(length - 1).flatMap((head) => kinds.map((kind) => head + kind));
    for (let servers = 1; servers <= 4; servers++) {
      for (const letters of choices(servers)) {
        for (let readQuorum = 1; readQuorum <= servers; readQuorum++) {
          for (const witness of [1n, null]) {
            const cast = [...letters].filter((letter) => letter !== '?').map((letter) => BALLOTS[letter]);
            const verdict = vote(cast as Parameters<typeof vote>[0], servers - cast.length, readQuorum, witness);
            const text = explained(letters, readQuorum, witness);
            const told = /so (the read is answered|what they hold counts)/.test(text)
              ? 'agreed'
              : text.includes('so the vote goes on')
                ? 'pending'
                : 'no-quorum';
            assert.equal(told, verdict.outcome, `${letters}, Qr ${readQuorum}, witness ${witness}: ${text}`);
            assert.match(text, /^[A-Zd][^.]*\. [A-Zd][^.]*\.$/, 'two sentences');
          }
        }
      }
    }
  });
});

describe('a ballot in words', () => {
  it('has a kind and a sentence for each state', () => {
    const kinds = Object.values(BALLOTS).map((ballot) => ballotKind(ballot, 1n));
    assert.deepEqual(kinds, ['agrees', 'dissents', 'dissents', 'absent', 'damaged', 'unreachable', 'pending']);
    const sentences = new Set(kinds.map((kind) => explainBallot('data1', kind)));
    assert.equal(sentences.size, 6);
    for (const sentence of sentences) assert.match(sentence, /^data1 .*\.$/);
  });

  it('compares hashes that JSON has made text of', () => {
    assert.equal(ballotKind({ state: 'present', hash: '00ff' }, '00ff'), 'agrees');
  });
});
