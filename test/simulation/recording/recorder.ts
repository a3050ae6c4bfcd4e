// Records a simulated run. Only looks: takes no random number, schedules nothing, and so leaves the run as it is.
import type { DecidedVote } from '../../../src/mediator/voting/decided-vote.js';
import type {
  MessageEvent,
  NoteEvent,
  ProcessKind,
  ProcessState,
  RecordedEvent,
} from '../../../src/recording/format.js';
import { RecordingWriter } from '../../../src/recording/writer.js';
import type { ClusterShape } from '../cluster-shape.js';
import { RecordedConnection } from './recorded-connection.js';
import { RoleWatch } from './role-watch.js';

export interface RecorderOptions {
  /** Takes whole lines of the recording. */
  write: (text: string) => void;
  title: string;
  command: string;
  processes: readonly { name: string; kind: ProcessKind }[];
}

/** Of a simulated cluster, in the order in which a request passes them. */
export function processesOf(shape: ClusterShape): { name: string; kind: ProcessKind }[] {
  const several = (count: number, name: string, kind: ProcessKind) =>
    Array.from({ length: count }, (_, at) => ({ name: `${name}${at + 1}`, kind }));
  return [
    ...several(shape.clients, 'client', 'client'),
    ...several(shape.mediators, 'mediator', 'mediator'),
    ...several(shape.metaservers, 'meta', 'metaserver'),
    ...several(shape.servers, 'data', 'dataserver'),
  ];
}

export class Recorder {
  /** Microseconds; set by whoever has the clock. */
  nowUs: () => number = () => 0;
  /** A term as people count it; primary-backup's also says whose it is. */
  termOf: (term: number) => number = (term) => term;
  /** Before this only who is what is recorded: the beginning of a run in which nothing happens yet. */
  fromUs = 0;
  readonly #writer: RecordingWriter;
  readonly #roles = new RoleWatch(({ term, ...event }) =>
    this.#writer.add({ t: this.nowUs(), ...event, term: this.termOf(term) } as RecordedEvent),
  );
  readonly #connections = new Set<RecordedConnection>();

  constructor({ write, ...header }: RecorderOptions) {
    this.#writer = new RecordingWriter(write, { ...header, processes: [...header.processes], clock: 'virtual' });
  }

  connection(client: string, server: string): RecordedConnection {
    const connection = new RecordedConnection(client, server, {
      nowUs: () => this.nowUs(),
      add: (event) => this.#add(event),
      sent: (from, messages) => this.#roles.sent(from, messages),
      over: (ended) => this.#connections.delete(ended),
    });
    this.#connections.add(connection);
    return connection;
  }

  /**
   * A request that does not go through the simulated network, as those of the catalog's clients.
   * @param delayUs until it arrives; null when nobody is there to take it
   * @returns what is to be called with the answer, when it is sent
   */
  request(
    told: { from: string; name: string; content: string },
    to: string,
    delayUs: number | null,
  ): (content: string, isFailure: boolean) => void {
    const { from, name } = told;
    const t = this.nowUs();
    this.#add({ kind: 'message', t, ...told, to, arrived: delayUs === null ? null : t + delayUs });
    return (content, isFailure) => {
      const sent = this.nowUs();
      const answer = { from: to, to: from, name, arrived: sent + (delayUs ?? 0), isReply: true, content } as const;
      this.#add({ kind: 'message', t: sent, ...answer, ...(isFailure ? { isFailure } : {}) });
    };
  }

  state(process: string, state: ProcessState): void {
    this.#writer.add({ t: this.nowUs(), kind: 'state', process, state });
    if (state === 'crashes' || state === 'loses power') this.#roles.gone(process);
  }

  link(from: string, to: string, isBoth: boolean, state: 'cut' | 'healed' | 'slow'): void {
    this.#writer.add({ t: this.nowUs(), kind: 'link', from, to, isBoth, state });
  }

  vote(process: string, { inode, index, version, readQuorum, witness, ballots }: DecidedVote): void {
    this.#writer.add({
      ...{ t: this.nowUs(), kind: 'vote', process, block: `${inode}/${index}, version ${version}`, readQuorum },
      witness: hashText(witness),
      ballots: ballots.map(({ server, ballot }) => ({
        server,
        ballot: ballot.state === 'present' ? { state: 'present', hash: hashText(ballot.hash) } : ballot,
      })),
    });
  }

  mark(text: string): void {
    this.#writer.add({ t: this.nowUs(), kind: 'note', level: 'mark', text });
  }

  note(text: string): void {
    this.#add({ t: this.nowUs(), kind: 'note', level: 'info', text });
  }

  log(
    process: string,
    level: 'info' | 'warn' | 'error',
    event: string,
    fields: Readonly<Record<string, unknown>>,
  ): void {
    const text = Object.entries(fields).map(([name, value]) => `${name} ${show(value)}`);
    this.#add({
      ...{ t: this.nowUs(), kind: 'note', process, level, event },
      ...{ text: [event, ...text].join(' '), fields: { ...fields } },
    });
    this.#roles.logged(process, event, fields);
  }

  #add(event: MessageEvent | NoteEvent): void {
    if (event.t >= this.fromUs) this.#writer.add(event);
  }

  /** What is still on its way has no end in this recording. */
  end(): void {
    for (const connection of this.#connections) connection.leaveOpen();
    this.#writer.end();
  }
}

function hashText(hash: bigint): string {
  return hash.toString(16).padStart(16, '0');
}

function show(value: unknown): string {
  return typeof value === 'string'
    ? value
    : JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
}
