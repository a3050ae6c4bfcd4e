// What a supervised process and its supervisor tell each other over the IPC
// channel that Node opens between parent and child.

export type ToSupervisor =
  /** Everything it needs is loaded; it waits for `go`. */
  | { kind: 'loaded' }
  /** It serves. */
  | { kind: 'ready' }
  /** It can't serve and ends now; the message says why. */
  | { kind: 'failed'; message: string };

export type FromSupervisor = { kind: 'go' } | { kind: 'stop' };

/** Why a server should end: it was told to, or the process that looked after it is gone. */
export type StopReason = 'told' | 'orphaned';

/** The child's end of the channel; inert in a process that nobody supervises. */
export class SupervisorLink {
  readonly supervised: boolean;
  readonly #told: Promise<void>;
  readonly #orphaned: Promise<void>;
  readonly #go: Promise<void>;

  readonly #self: NodeJS.Process;

  constructor(self: NodeJS.Process = process) {
    this.#self = self;
    this.supervised = self.send !== undefined;
    const heard = (kind: FromSupervisor['kind']): Promise<void> =>
      new Promise((resolve) => {
        self.on('message', (message: unknown) => {
          if (isFromSupervisor(message) && message.kind === kind) {
            resolve();
          }
        });
      });
    this.#told = heard('stop');
    this.#go = heard('go');
    this.#orphaned = new Promise((resolve) => self.once('disconnect', resolve));
  }

  /** Says that all code is loaded and waits for the supervisor's word: go, or stop. Go at once when nobody supervises. */
  async waitForGo(): Promise<'go' | 'stop'> {
    if (!this.supervised) {
      return 'go';
    }
    this.tell({ kind: 'loaded' });
    return Promise.race([
      this.#go.then(() => 'go' as const),
      this.#told.then(() => 'stop' as const),
      this.#orphaned.then(() => 'stop' as const),
    ]);
  }

  /** Tells the supervisor, if there still is one. */
  tell(message: ToSupervisor): void {
    if (this.supervised && this.#self.connected) {
      this.#self.send?.(message);
    }
  }

  /** Resolves when this server should end: by the supervisor's word, its disappearance, or a signal. */
  stopRequested(): Promise<StopReason> {
    const signalled = new Promise<StopReason>((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
        this.#self.once(signal, () => resolve('told'));
      }
    });
    return Promise.race([
      signalled,
      this.#told.then((): StopReason => 'told'),
      this.#orphaned.then((): StopReason => 'orphaned'),
    ]);
  }
}

function isFromSupervisor(message: unknown): message is FromSupervisor {
  return typeof message === 'object' && message !== null && 'kind' in message;
}

export function isToSupervisor(message: unknown): message is ToSupervisor {
  return typeof message === 'object' && message !== null && 'kind' in message;
}
