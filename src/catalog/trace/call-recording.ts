// A recording of what a server is asked and answers. A server knows when a message came and not when it was sent, so a message has
// one time. Those of several servers make one recording: each message is in that of its receiver only.

import { brief } from '../../recording/brief.js';
import { coreMessages, kindsOf } from '../../recording/core-messages.js';
import type { ProcessKind } from '../../recording/format.js';
import { RecordingWriter } from '../../recording/writer.js';
import { messageOf } from '../../runtime/caught-errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Facts } from './trace.js';
import type { Call, CallWatch, Outcome } from './watched-calls.js';

export interface CallRecordingParts {
  /** Takes whole lines. */
  readonly write: (text: string) => void;
  readonly facts: () => Facts;
  readonly clock: Clock;
  /** Of this server. */
  readonly name: string;
  /** Of all servers. */
  readonly servers: readonly string[];
  readonly protocol: string;
}

const CLIENTS = 'clients';
/** Another server that has not said its name. */
const UNKNOWN = 'another server';
const MOST_CHARACTERS = 360;

export class CallRecording implements CallWatch {
  readonly #parts: CallRecordingParts;
  readonly #writer: RecordingWriter;
  #role = '';
  #term = 0;

  constructor(parts: CallRecordingParts) {
    this.#parts = parts;
    const { write, servers, protocol, name } = parts;
    this.#writer = new RecordingWriter(write, {
      title: `A catalog by ${protocol}`,
      processes: [{ name: CLIENTS, kind: 'client' }, ...servers.map((each) => catalogServer(each))],
      clock: 'wall',
    });
    this.#writer.add({ t: this.#nowUs, kind: 'state', process: name, state: 'runs' });
  }

  called(call: Call): (outcome: Outcome) => void {
    const { name: self, servers } = this.#parts;
    const known = call.from !== undefined && servers.includes(call.from) ? call.from : UNKNOWN;
    const from = call.by === 'client' ? CLIENTS : known;
    const inner = coreMessages(call.request);
    const name = kindsOf(inner) ?? call.name;
    const t = this.#nowUs;
    const content = inner.length === 0 ? call.text : brief(inner);
    this.#writer.add({ t, kind: 'message', from, to: self, name, arrived: t, content: short(content) });
    this.#noteFacts();
    return (outcome) => {
      const ended = this.#nowUs;
      const answer = 'answer' in outcome ? outcome.answer : undefined;
      const answers = coreMessages(answer);
      const isFailure = !('answer' in outcome);
      const text = isFailure ? messageOf(outcome.error) : brief(answers.length > 0 ? answers : answer);
      const told = kindsOf(answers);
      this.#writer.add({
        ...{ t: ended, kind: 'message', from: self, to: from, arrived: ended, content: short(text) },
        ...(told === undefined ? { name: call.name, isReply: true } : { name: told }),
        ...(isFailure ? { isFailure } : {}),
      });
      this.#noteFacts();
    };
  }

  end(): void {
    this.#writer.add({ t: this.#nowUs, kind: 'state', process: this.#parts.name, state: 'ends' });
    this.#writer.end();
  }

  get #nowUs(): number {
    return Number(this.#parts.clock.nowNs() / 1000n);
  }

  /** Role and term, where they have changed since the last message. */
  #noteFacts(): void {
    const { facts, name: process } = this.#parts;
    const { role, term } = facts();
    if (typeof role !== 'string' || typeof term !== 'number') return;
    const t = this.#nowUs;
    if (term > this.#term) this.#writer.add({ t, kind: 'term', process, term });
    if (role === 'candidate' && (role !== this.#role || term > this.#term)) {
      this.#writer.add({ t, kind: 'election', process, term });
    }
    if (role !== this.#role || (role === 'leader' && term !== this.#term)) {
      this.#writer.add({ t, kind: 'role', process, role, term });
    }
    this.#role = role;
    this.#term = Math.max(term, this.#term);
  }
}

function catalogServer(name: string): { name: string; kind: ProcessKind } {
  return { name, kind: 'catalog' };
}

function short(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}
