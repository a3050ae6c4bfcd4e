// A mediator that is one of several: a standby until the active one is gone, then
// active until another one has taken over from it.
import { type RunningServer, serve } from '../../protocol/http/server.js';
import type { XmlRpcMethods } from '../../protocol/http/xml-rpc.js';
import type { AdminService } from '../../protocol/services/admin.js';
import type { FileService } from '../../protocol/services/files.js';
import type { ServerPlace } from '../../protocol/services/group.js';
import type { SessionService } from '../../protocol/services/sessions.js';
import type { Standing, StandingService } from '../../protocol/services/standing.js';
import { errorFields } from '../../runtime/caught-errors.js';
import { sleep } from '../../runtime/clock.js';
import { rethrowProgramFault } from '../../runtime/faults.js';
import type { Runtime } from '../../runtime/runtime.js';
import { MediatorAdmin } from '../admin/admin.js';
import { mediatorStatuses } from '../admin/mediator-status.js';
import { Connections } from '../connections.js';
import type { Won } from '../epochs/candidacy.js';
import { guarded } from '../epochs/guarded.js';
import { Tenure } from '../epochs/tenure.js';
import { MediatorFiles } from '../files/files.js';
import { type Mediator, openMediator } from '../mediator.js';
import { servedPage, standbyPage } from '../page/served-page.js';
import type { ReplicaParts } from '../replicas/replica-set.js';
import { Isolation } from './isolation.js';
import { countReached } from './reach.js';
import type { SeveralOptions } from './several-options.js';
import { Standby } from './standby.js';
import { methodsOf, switchable } from './switch.js';

const SESSION_METHODS = ['begin', 'changes', 'setLock', 'restoreLocks', 'getLock', 'end'] as const;
const XML_RPC_METHODS = ['put', 'get', 'list_contents', 'corrupt', 'terminate', 'restart', 'locate', 'scrub'] as const;
/** After it could not be opened. */
const RETRY_MS = 500;
/** One that has given way leaves it to the other to take over. */
const ABSTAIN_MS = 2000;
/** One that has given way lately stays: it would help nobody to hand over all the time. */
const STAYS_MS = 30_000;

interface Active {
  mediator: Mediator;
  files: FileService;
  /** How many data servers answer. */
  reach: () => Promise<number>;
  /** What administrators change must reach the active one; its status says by itself that it may have been replaced. */
  admin: AdminService;
  tenure: Tenure;
}

export class OneOfSeveral {
  #server: RunningServer | null = null;
  #standby: Standby;
  #active: Active | null = null;
  #isClosed = false;
  #staysUntilMs = Number.NEGATIVE_INFINITY;
  #endTenure: () => void = () => {};
  #noteClosed: () => void = () => {};
  readonly #closed = new Promise<void>((resolve) => {
    this.#noteClosed = resolve;
  });
  /** Mediators that were replaced. */
  #retiring: Promise<unknown> = Promise.resolve();
  #running: Promise<void> = Promise.resolve();

  readonly #options: SeveralOptions;
  readonly #runtime: Runtime;

  constructor(options: SeveralOptions, runtime: Runtime) {
    this.#options = options;
    this.#runtime = runtime;
    this.#standby = new Standby(options, runtime);
  }

  /** Resolves when it serves, as a standby at first. */
  async start(): Promise<string> {
    const { address, unixPath, secret } = this.#options;
    const provider = () => this.#active?.mediator.page ?? standbyPage(this.#standby.admin);
    const other = servedPage(this.#options, provider, this.#runtime.clock);
    this.#server = await serve(
      {
        address,
        services: {
          files: switchable<FileService>(methodsOf(MediatorFiles), () => this.#mustBeActive.files),
          sessions: switchable<SessionService>(SESSION_METHODS, () => this.#mustBeActive.mediator.sessions),
          admin: switchable<AdminService>(methodsOf(MediatorAdmin), () => this.#active?.admin ?? this.#standby.admin),
          mediator: {
            status: async () => this.#standing,
            reach: async () => ({ dataservers: await (this.#active ?? this.#standby).reach() }),
          } satisfies StandingService,
        },
        xmlRpc: this.#xmlRpc(),
        metrics: async () => `${(await this.#active?.mediator.metrics()) ?? ''}${this.#ownMetrics()}`,
        health: () => ({ healthy: true }),
        ...(other === undefined ? {} : { other }),
        ...(unixPath === undefined ? {} : { unixPath }),
        ...(secret === undefined ? {} : { secret }),
      },
      this.#runtime,
    );
    this.#running = this.#run();
    return this.#server.address;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#noteClosed();
    this.#leave();
    this.#endTenure();
    await this.#standby.close();
    await this.#running;
    await this.#retiring;
    await this.#server?.close();
  }

  /** null while another one is the active one, as far as this one knows. */
  get active(): Mediator | null {
    return this.#active?.mediator ?? null;
  }

  get #mustBeActive(): Active {
    if (this.#active === null) throw this.#standby.refusal();
    return this.#active;
  }

  get #standing(): Standing {
    if (this.#active === null) return { role: 'standby', isServing: false, term: this.#standby.epoch, reason: '' };
    const { epoch, isSure } = this.#active.tenure;
    return { role: 'active', isServing: isSure, term: epoch, reason: isSure ? '' : 'the metadata does not answer' };
  }

  /** Answers nobody any more; what is under way fails at those who wait for it. */
  #leave(): void {
    this.#active = null;
    this.#server?.disconnect();
  }

  #waitAgain(): void {
    if (this.#isClosed) return;
    void this.#standby.close();
    this.#standby = new Standby(this.#options, this.#runtime);
  }

  async #run(): Promise<void> {
    for (;;) {
      const won = await this.#standby.won();
      if (won === null || this.#isClosed) return;
      await this.#serveAs(won);
      if (this.#isClosed) return;
    }
  }

  /** Resolves when this mediator was replaced, could not be opened, or is closed. */
  async #serveAs({ epoch, sinceMs }: Won): Promise<void> {
    const { name, address, others } = this.#options;
    const { clock, log } = this.#runtime;
    const over = new Promise<void>((resolve) => {
      this.#endTenure = resolve;
    });
    let hasGivenWay = false;
    const replaced = (): void => {
      // It has given way, and another one's turn may have come since.
      if (hasGivenWay) return;
      log.warn('mediator.replaced', { name, epoch });
      this.#waitAgain();
      this.#leave();
      this.#endTenure();
    };
    const tenure = new Tenure({ epoch, sinceMs, isSole: false, clock, replaced });
    const connections = new Connections(this.#options, this.#runtime);
    const own = () => ({ name, address, role: tenure.isSure ? ('active' as const) : ('standby' as const), epoch });
    const otherMediators = connections.to(others);
    let probed: ReplicaParts[] | null = null;
    const reach = () => {
      probed ??= connections.toProbed(this.#options.dataservers);
      return countReached(probed);
    };
    const parts = {
      metaservers: this.#options.metaservers.map((peer) => connections.toMetaserver(peer)),
      connectMetaserver: (server: ServerPlace) => connections.toMetaserver(server),
      dataservers: connections.to(this.#options.dataservers),
      tenure,
      mediators: () => mediatorStatuses(own(), otherMediators),
      ...(this.#options.supervisor === undefined ? {} : { supervisor: this.#options.supervisor }),
    };
    let mediator: Mediator;
    let writeQuorum: number;
    try {
      const settings = await this.#options.settings();
      ({ writeQuorum } = settings);
      mediator = await openMediator({ ...this.#options, ...settings }, parts, this.#runtime);
    } catch (error) {
      rethrowProgramFault(error);
      log.warn('mediator.not_opened', { name, epoch, ...errorFields(error) });
      tenure.end();
      await connections.close();
      await sleep(clock, RETRY_MS);
      this.#waitAgain();
      return;
    }
    if (!tenure.isOver && !this.#isClosed) {
      const isolation = new Isolation({
        isWell: () => mediator.hasWriteQuorum(),
        staysUntilMs: this.#staysUntilMs,
        ...{ reach, enough: writeQuorum, others: otherMediators, clock },
        giveWay: (to) => {
          log.warn('mediator.gave_way', { name, epoch, to });
          hasGivenWay = true;
          this.#staysUntilMs = clock.monotonicMs() + STAYS_MS;
          this.#leave();
          this.#endTenure();
        },
      });
      const admin = guarded(mediator.admin, tenure, ['status']);
      if (this.#options.page !== undefined) mediator.page.start();
      this.#active = { mediator, tenure, admin, files: isolation.watch(mediator.files), reach };
      log.info('mediator.took_over', { name, epoch });
      void this.#standby.close();
      await over;
      isolation.close();
    }
    const retired = mediator.close().finally(() => connections.close());
    this.#retiring = Promise.all([this.#retiring, retired]);
    if (!hasGivenWay) return;
    this.#waitAgain();
    await Promise.race([sleep(clock, ABSTAIN_MS), this.#closed]);
  }

  #xmlRpc(): XmlRpcMethods {
    const methods: XmlRpcMethods = {
      status: async () => (await (this.#active?.mediator.xmlRpc ?? this.#standby.xmlRpc).status?.()) ?? null,
    };
    for (const name of XML_RPC_METHODS) {
      methods[name] = async (...parameters) =>
        (await this.#mustBeActive.mediator.xmlRpc[name]?.(...parameters)) ?? null;
    }
    return methods;
  }

  #ownMetrics(): string {
    const { isServing, term } = this.#standing;
    return [
      '# HELP nmrfs_mediator_active 1 when this mediator is the active one, 0 when it is a standby',
      '# TYPE nmrfs_mediator_active gauge',
      `nmrfs_mediator_active ${isServing ? 1 : 0}`,
      '# HELP nmrfs_mediator_epoch The epoch of the active mediator, as this one knows it',
      '# TYPE nmrfs_mediator_epoch gauge',
      `nmrfs_mediator_epoch ${term}`,
      '',
    ].join('\n');
  }
}
