import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { type Ballot, dissents, vote } from '../../../src/mediator/voting/vote.js';

/** One letter per ballot: capital letters are hashes, - absent, ! damaged, ? unreachable. */
function ballots(text: string): Ballot[] {
  return [...text].map((letter): Ballot => {
    if (letter === '-') return { state: 'absent' };
    if (letter === '!') return { state: 'damaged' };
    if (letter === '?') return { state: 'unreachable' };
    return { state: 'present', hash: BigInt(letter.charCodeAt(0)), length: 10 };
  });
}

const hashOf = (letter: string) => BigInt(letter.charCodeAt(0));

function outcome(cast: string, outstanding: number, quorum: number, witness: string | null): string {
  const verdict = vote(ballots(cast), outstanding, quorum, witness === null ? null : hashOf(witness));
  if (verdict.outcome !== 'agreed') return verdict.outcome;
  return `${String.fromCharCode(Number(verdict.hash))}${verdict.agreeing}`;
}

describe('vote', () => {
  // ballots, outstanding, quorum, witness, outcome
  const table: [string, number, number, string | null, string][] = [
    ['', 5, 3, 'A', 'pending'],
    ['AA', 3, 3, 'A', 'pending'],
    ['AAA', 2, 3, 'A', 'A3'],
    ['AAAAA', 0, 3, 'A', 'A5'],
    ['AABC', 1, 3, 'A', 'pending'],
    ['AABCD', 0, 3, 'A', 'no-quorum'],
    ['AABC', 0, 3, 'A', 'no-quorum'],
    ['BBB', 2, 3, 'A', 'no-quorum'],
    ['BBBAA', 0, 2, 'A', 'A2'],
    ['BBBBA', 0, 1, 'A', 'A1'],
    ['BBBBB', 0, 1, 'A', 'no-quorum'],
    ['ABCDE', 0, 1, 'A', 'A1'],
    ['BCDE', 1, 1, 'A', 'pending'],
    ['AA-!?', 0, 2, 'A', 'A2'],
    ['AA-!?', 0, 3, 'A', 'no-quorum'],
    ['?????', 0, 1, 'A', 'no-quorum'],
    ['A', 0, 1, 'A', 'A1'],
    ['B', 0, 1, 'A', 'no-quorum'],
    ['AAA', 0, 2, null, 'A3'],
    ['AAB', 0, 2, null, 'A2'],
    ['AB', 0, 1, null, 'no-quorum'],
    ['AAB', 2, 2, null, 'pending'],
    ['AAAAB', 1, 3, null, 'A4'],
    ['A----', 0, 1, null, 'A1'],
    ['-----', 0, 1, null, 'no-quorum'],
  ];
  for (const [cast, outstanding, quorum, witness, expected] of table) {
    it(`${cast || 'nothing'} with ${outstanding} outstanding, quorum ${quorum}, witness ${witness}: ${expected}`, () => {
      assert.equal(outcome(cast, outstanding, quorum, witness), expected);
    });
  }

  const ballot: fc.Arbitrary<Ballot> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ state: fc.constant('present' as const), hash: fc.bigInt(0n, 3n), length: fc.constant(1) }),
    },
    fc.constantFrom<Ballot>({ state: 'absent' }, { state: 'damaged' }, { state: 'unreachable' }),
  );
  const cast = fc.array(ballot, { maxLength: 15 });
  const quorum = fc.integer({ min: 1, max: 15 });
  const outstanding = fc.integer({ min: 0, max: 15 });
  const witness = fc.option(fc.bigInt(0n, 3n), { nil: null });

  it('never names a value with fewer ballots than the quorum', () => {
    fc.assert(
      fc.property(cast, outstanding, quorum, witness, (given, out, needed, kept) => {
        const verdict = vote(given, out, needed, kept);
        if (verdict.outcome !== 'agreed') return true;
        const count = given.filter((each) => each.state === 'present' && each.hash === verdict.hash).length;
        return count >= needed && count === verdict.agreeing;
      }),
    );
  });

  it('never contradicts the witness', () => {
    fc.assert(
      fc.property(cast, outstanding, quorum, fc.bigInt(0n, 3n), (given, out, needed, kept) => {
        const verdict = vote(given, out, needed, kept);
        return verdict.outcome !== 'agreed' || verdict.hash === kept;
      }),
    );
  });

  it('gives the same verdict in any order of ballots', () => {
    fc.assert(
      fc.property(
        cast.chain((given) => fc.tuple(fc.constant(given), fc.shuffledSubarray(given, { minLength: given.length }))),
        outstanding,
        quorum,
        witness,
        ([given, shuffled], out, needed, kept) => {
          assert.deepEqual(vote(shuffled, out, needed, kept), vote(given, out, needed, kept));
        },
      ),
    );
  });

  it('is final: ballots that come later never change an agreement or bring one about after no quorum', () => {
    fc.assert(
      fc.property(cast, cast, quorum, witness, (given, later, needed, kept) => {
        const before = vote(given, later.length, needed, kept);
        const after = vote([...given, ...later], 0, needed, kept);
        if (before.outcome === 'agreed') return after.outcome === 'agreed' && after.hash === before.hash;
        if (before.outcome === 'no-quorum') return after.outcome === 'no-quorum';
        return true;
      }),
    );
  });

  it('is decided once nothing is outstanding', () => {
    fc.assert(
      fc.property(cast, quorum, witness, (given, needed, kept) => vote(given, 0, needed, kept).outcome !== 'pending'),
    );
  });
});

describe('dissents', () => {
  for (const [letter, expected] of [
    ['A', false],
    ['B', true],
    ['-', true],
    ['!', true],
    ['?', false],
  ] as const) {
    it(`${letter} after A has won: ${expected}`, () => {
      const [given] = ballots(letter);
      assert.ok(given);
      assert.equal(dissents(given, hashOf('A')), expected);
    });
  }
});
