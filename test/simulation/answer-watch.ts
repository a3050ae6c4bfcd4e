// Sees who answers clients: never a mediator from which another one had taken over
// before it was asked, not even with what is still true.
import { FileError } from '../../src/protocol/errors.js';
import type { CallOptions } from '../../src/protocol/services/service.js';
import type { Remote } from '../../src/protocol/wire/client.js';

/** Who is the active mediator, by its own word. */
export interface Succession {
  /** How often one has taken over; the only one does once. */
  readonly count: number;
  readonly last: string;
}

type Method = (request: object, options?: CallOptions) => Promise<object>;
type WatchedRemote = Pick<Remote, 'service' | 'onStateChange'>;

export class AnswerWatch {
  readonly #succession: () => Succession;
  readonly #violation: (message: string) => void;

  constructor(succession: () => Succession, violation: (message: string) => void) {
    this.#succession = succession;
    this.#violation = violation;
  }

  /** The same remote of a mediator, whose answers are judged. What it says of itself is no answer. */
  over(mediator: string, remote: WatchedRemote): WatchedRemote {
    return {
      onStateChange: (listener) => remote.onStateChange(listener),
      service: <T>(name: string) => {
        const service = remote.service<Record<string, Method>>(name);
        if (name === 'mediator') return service as T;
        return new Proxy(service, {
          get: (target, member) => {
            const method: unknown = Reflect.get(target, member);
            if (typeof method !== 'function') return method;
            return (request: object, options?: CallOptions) =>
              this.#judge(mediator, `${name}.${String(member)}`, () => method(request, options) as Promise<object>);
          },
        }) as T;
      },
    };
  }

  async #judge(mediator: string, method: string, call: () => Promise<object>): Promise<object> {
    const { count, last } = this.#succession();
    const answered = () => {
      if (last === mediator || this.#succession().count !== count) return;
      this.#violation(`${mediator} answered ${method}, although ${last} had taken over before`);
    };
    try {
      const result = await call();
      answered();
      return result;
    } catch (error) {
      if (error instanceof FileError) answered();
      throw error;
    }
  }
}
