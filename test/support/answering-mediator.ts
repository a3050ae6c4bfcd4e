// The part of a mediator that answers commands before the metaserver has them,
// over one metaserver in this process.
import { Counters } from '../../src/mediator/counters.js';
import { EarlyAnswers } from '../../src/mediator/early/early-answers.js';
import { KnownRows } from '../../src/mediator/early/known-rows.js';
import { Learning } from '../../src/mediator/early/learning.js';
import { MetaserverConnection } from '../../src/mediator/metadata/metaserver-connection.js';
import { retryingMetadata } from '../../src/mediator/metadata/retrying-metadata.js';
import type { MetaserverService } from '../../src/protocol/services/metadata.js';
import { RequestIds } from '../../src/protocol/values/request-ids.js';
import type { RemoteState } from '../../src/protocol/wire/client.js';
import type { Runtime } from '../../src/runtime/runtime.js';

const DEADLINE_MS = 1000;

/** No two of them ask under one name. */
let opened = 0;

export class AnsweringMediator {
  readonly early: EarlyAnswers;
  readonly connection: MetaserverConnection;
  answered = 0;
  /** Commands that were answered in vain. */
  lost = 0;
  readonly #listeners: ((state: RemoteState) => void)[] = [];

  private constructor(metadata: MetaserverService, runtime: Runtime) {
    const rows = new KnownRows();
    const counters = new Counters();
    this.connection = new MetaserverConnection({
      remote: { onStateChange: (listener) => void this.#listeners.push(listener) },
      ...{ metadata, deadlineMs: DEADLINE_MS, ids: new RequestIds(`mediator${++opened}`), counters, runtime },
      listener: {
        restarted: () => rows.clear(),
        outcomeUnknown: () => {
          this.lost++;
          rows.clear();
        },
      },
    });
    const { connection } = this;
    const { answered } = connection;
    this.early = new EarlyAnswers({
      rows,
      learning: new Learning(rows, retryingMetadata(connection)),
      mayAnswer: () => answered.isOpen,
      diskTakes: (takesRoom) => answered.takes(takesRoom),
      askDisk: () => answered.askDisk(),
      mayLook: () => connection.isReady,
      answered: (command, result) => {
        this.answered++;
        connection.noteAnsweredHere(command, result);
      },
      answeredQuery: () => connection.noteQueryAnsweredHere(),
      nowNs: () => runtime.clock.nowNs(),
    });
    this.#listeners.push((state) => {
      if (state === 'down') rows.clear();
    });
  }

  static async open(metadata: MetaserverService, runtime: Runtime): Promise<AnsweringMediator> {
    const mediator = new AnsweringMediator(metadata, runtime);
    await mediator.connection.start();
    return mediator;
  }

  /** The connection to the metaserver is lost, or there again. */
  tell(state: RemoteState): void {
    for (const listener of this.#listeners) listener(state);
  }

  async close(): Promise<void> {
    await this.connection.sync();
    this.connection.close();
  }
}
