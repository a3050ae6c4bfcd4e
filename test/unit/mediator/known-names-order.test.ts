// Known names against a model of the metaserver that carries changes and
// questions out, and answers them, in any order.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { KnownNames } from '../../../src/mediator/metadata/known-names.js';
import { FileError } from '../../../src/protocol/errors.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import type { Commands } from '../../../src/protocol/services/metadata.js';
import { ManualClock } from '../../support/manual-clock.js';

interface Place {
  parent: number;
  name: string;
}

type Change =
  | { kind: 'make'; to: Place }
  | { kind: 'unlink'; from: Place }
  | { kind: 'rename' | 'exchange'; from: Place; to: Place };

type Step =
  | Change
  | { kind: 'look'; to: Place }
  | { kind: 'execute' | 'answer' | 'lose' | 'repeat'; which: number }
  | { kind: 'clear' };

interface Pending {
  /** Names that it may change. */
  touches: string[];
  /** Carries it out, once. */
  execute(): void;
  answer(): Promise<void>;
  lose(): Promise<void>;
}

/** A directory that is made here, and one that was there before. */
const DIRECTORIES = [7, 8];
const NAMES = ['a', 'b'];

class World {
  readonly #known = new KnownNames(new ManualClock());
  readonly #entries = new Map([
    ['8/a', 80],
    ['8/b', 81],
  ]);
  #pending: Pending[] = [];
  readonly #answered: { request: Change; result: object }[] = [];
  #lastInode = 100;

  static async open(): Promise<World> {
    const world = new World();
    const request = { parent: ROOT_INODE, name: 'd', kind: 'directory' } as unknown as Commands['make']['request'];
    const result = { created: true, attributes: { inode: 7, revision: 1 } } as unknown as Commands['make']['result'];
    await world.#known.note('make', request, async () => result);
    return world;
  }

  async step(step: Step): Promise<void> {
    if (step.kind === 'clear') this.#known.clear();
    else if (step.kind === 'repeat') this.#repeat(step.which);
    else if ('which' in step) await this.#go(step.kind, step.which);
    else this.#pending.push(step.kind === 'look' ? this.#look(step.to) : this.#change(step));
    this.#check();
  }

  async finish(): Promise<void> {
    while (this.#pending.length > 0) await this.step({ kind: 'answer', which: this.#pending.length - 1 });
  }

  async #go(what: 'execute' | 'answer' | 'lose', which: number): Promise<void> {
    const one = this.#pending[which % Math.max(1, this.#pending.length)];
    if (one === undefined) return;
    if (what === 'execute') return one.execute();
    await (what === 'answer' ? one.answer() : one.lose());
    this.#pending = this.#pending.filter((other) => other !== one);
  }

  #look({ parent, name }: Place): Pending {
    const learn = this.#known.learner(parent);
    const seen = once(() => this.#entries.get(`${parent}/${name}`));
    const answer = async () => {
      const inode = seen();
      if (inode !== undefined) learn(name, inode);
    };
    return { touches: [], execute: seen, answer, lose: async () => {} };
  }

  #change(request: Change): Pending {
    const execute = once(() => this.#carryOut(request));
    const places = [...('from' in request ? [request.from] : []), ...('to' in request ? [request.to] : [])];
    const touches = places.map(({ parent, name }) => `${parent}/${name}`);
    return this.#ask(
      request,
      touches,
      true,
      () => {
        const result = execute();
        this.#answered.push({ request, result });
        return result;
      },
      execute,
    );
  }

  /** Once more what was answered before: it changes nothing, and the answer is the same. */
  #repeat(which: number): void {
    const before = this.#answered[which % Math.max(1, this.#answered.length)];
    if (before === undefined) return;
    this.#pending.push(
      this.#ask(
        before.request,
        [],
        false,
        () => before.result,
        () => {},
      ),
    );
  }

  #ask(request: Change, touches: string[], isFirst: boolean, result: () => object, execute: () => void): Pending {
    let settle: { resolve(result: object): void; reject(error: Error): void } | undefined;
    const reply = new Promise<never>((resolve, reject) => {
      settle = { resolve: resolve as (result: object) => void, reject };
    });
    const { command, message } = asCommand(request);
    const noted = this.#known
      .note(command, message as unknown as Commands[typeof command]['request'], () => reply)
      .then(
        () => {},
        () => {},
      );
    return {
      touches,
      execute,
      answer: () => {
        const answer = result();
        if (answer instanceof FileError) settle?.reject(answer);
        else settle?.resolve(isFirst ? answer : { ...answer, isRepetition: true });
        return noted;
      },
      lose: () => {
        settle?.reject(new Error('no answer'));
        return noted;
      },
    };
  }

  #carryOut(request: Change): object {
    const entries = this.#entries;
    const from = 'from' in request ? `${request.from.parent}/${request.from.name}` : '';
    const to = 'to' in request ? `${request.to.parent}/${request.to.name}` : '';
    const [source, target] = [entries.get(from), entries.get(to)];
    if (request.kind === 'make') {
      if (target === undefined) entries.set(to, ++this.#lastInode);
      return { created: target === undefined, attributes: { inode: entries.get(to), revision: 3 } };
    }
    if (source === undefined) return new FileError('ENOENT', 'not there');
    if (request.kind === 'exchange') {
      if (target === undefined) return new FileError('ENOENT', 'not there');
      entries.set(from, target).set(to, source);
      return {};
    }
    // Two names of one file both stay.
    if (source !== target) entries.delete(from);
    if (request.kind === 'rename') entries.set(to, source);
    return {};
  }

  #check(): void {
    const underWay = new Set(this.#pending.flatMap(({ touches }) => touches));
    for (const parent of DIRECTORIES) {
      for (const name of NAMES) {
        const place = `${parent}/${name}`;
        const found = this.#known.find(parent, name);
        if (found === undefined || underWay.has(place)) continue;
        assert.equal(found, this.#entries.get(place) ?? null, place);
      }
    }
  }
}

function asCommand(request: Change): {
  command: 'make' | 'unlink' | 'rename';
  message: object;
} {
  if (request.kind === 'make') return { command: 'make', message: { ...request.to, kind: 'file' } };
  if (request.kind === 'unlink') return { command: 'unlink', message: { ...request.from, held: [] } };
  const mode = request.kind === 'rename' ? 'replace' : 'exchange';
  const { parent: newParent, name: newName } = request.to;
  return { command: 'rename', message: { ...request.from, newParent, newName, mode, held: [] } };
}

function once<T>(work: () => T): () => T {
  let result: { value: T } | undefined;
  return () => {
    result ??= { value: work() };
    return result.value;
  };
}

describe('known names', () => {
  it('are never wrong while nothing that touches them is under way', async () => {
    // Mostly the same, or little would meet.
    const name = fc.oneof({ arbitrary: fc.constant('a'), weight: 4 }, { arbitrary: fc.constant('b'), weight: 1 });
    const parent = fc.oneof({ arbitrary: fc.constant(7), weight: 3 }, { arbitrary: fc.constant(8), weight: 1 });
    const place = fc.record({ parent, name });
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({ kind: fc.constantFrom('make' as const, 'look' as const), to: place }),
      fc.record({ kind: fc.constant('unlink' as const), from: place }),
      fc.record({ kind: fc.constantFrom('rename' as const, 'exchange' as const), from: place, to: place }),
      fc.record({ kind: fc.constantFrom('execute' as const, 'answer' as const, 'lose' as const), which: fc.nat(9) }),
      fc.record({ kind: fc.constantFrom('execute' as const, 'answer' as const), which: fc.nat(9) }),
      fc.record({ kind: fc.constant('repeat' as const), which: fc.nat(9) }),
    );
    const rare = fc.record({ kind: fc.constant('clear' as const) });
    const steps = fc.array(fc.oneof({ arbitrary: step, weight: 30 }, { arbitrary: rare, weight: 1 }), {
      maxLength: 60,
      size: 'max',
    });
    // The question sees what was before the change that it was asked during, and is answered after it.
    const during: Step[] = [
      { kind: 'unlink', from: { parent: 8, name: 'a' } },
      { kind: 'look', to: { parent: 8, name: 'a' } },
      { kind: 'execute', which: 1 },
      { kind: 'answer', which: 0 },
      { kind: 'answer', which: 0 },
    ];
    await fc.assert(
      fc.asyncProperty(steps, async (steps) => {
        const world = await World.open();
        for (const one of steps) await world.step(one);
        await world.finish();
      }),
      { numRuns: 1000, examples: [[during]] },
    );
  });
});
