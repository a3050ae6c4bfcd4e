// What is known of all requests of a run: who sent them, how they were
// answered, which may still take effect, and the files they are about.
import type { MountSession } from '../../../src/fuse-client/session/mount-session.js';
import type { OpenInodes } from '../../../src/fuse-client/session/open-inodes.js';
import type { FileError } from '../../../src/protocol/errors.js';
import type { FileService } from '../../../src/protocol/services/files.js';
import { isUnbroken, type Verifier } from '../../../src/protocol/values/verifier.js';
import type { BallotWatch } from '../ballots.js';
import { Contradiction, FileHistory } from '../model/file-history.js';
import type { NamespaceHistory } from '../model/namespace-history.js';
import type { SeededRandom } from '../world/seeded-random.js';

/** Whose requests are made in the name of. */
export const CALLER = { uid: 0, gid: 0 };

/** What the workload needs to know of the run around it. */
export interface Surroundings {
  readonly random: SeededRandom;
  readonly blockSizeBytes: number;
  nowUs(): number;
  note(text: string): void;
  /** Something happened that must not: ends the run. */
  violation(message: string): void;
  /** How often the metaserver has crashed so far. */
  metaserverCrashes(): number;
  /** Whether the client's session may be over, or has been since then, since nothing was heard of it for long. */
  wasSilent(client: string, sinceUs: number): boolean;
  /** Whether the mediator has died since. */
  mediatorDied(sinceUs: number): boolean;
  /** Whether a request that was cut off from its client can't change anything any more. */
  isSettled(request: { startedUs: number; cutOffUs: number }): boolean;
  /** A read was refused with EIO; judges whether it may have been. */
  readRefused(inode: number, startedUs: number): Promise<void>;
  /** Judges whether an answer had a quorum behind it. */
  readonly ballots: BallotWatch;
  /** Whether the metaserver's disk has failed, so that nobody could tell what had become of a command. */
  mayBeUnclear(): boolean;
  /** Whether the metaserver's disk has failed, so that changes were refused. */
  mayRefuseChanges(): boolean;
  /** Whether disks are full just now, or have been since shortly before then. */
  mayBeFull(sinceUs: number): boolean;
}

export interface OpenFile {
  history: FileHistory;
  owner: Client;
}

/** A write that got no definite answer. */
export interface CutOff {
  request: number;
  inode: number;
  startedUs: number;
  cutOffUs: number;
}

export interface Client {
  name: string;
  files: FileService;
  session: MountSession;
  /** Files that it has open, as its session says. */
  open: OpenInodes;
  directory: number;
  names: NamespaceHistory;
  /** Files that it has open, and since when each must be there for that; null where a crash may have undone that it was made. */
  held: Map<number, number | null>;
  locks: Map<number, HeldLock>;
  /** Of the last fsync. */
  verifier: Verifier | null;
  isBusy: boolean;
  /** Its last change of names got no answer, and no further one may follow until it is clear that it is over. */
  cutOff: { startedUs: number; cutOffUs: number } | null;
  /** Its folder must be listed before the next change, to learn what became of the last. */
  mustList: boolean;
}

/** A lock on a whole file that a client was granted, and was not told that it lost. */
export interface HeldLock {
  /** When it was asked for. */
  sinceUs: number;
  /** When another was granted it too, which may be only when the client's session is over. */
  overlappedUs: number | null;
}

export type RefusableKind = 'read' | 'stat' | 'mode' | 'sync' | 'open' | 'write';

/** What the folders had come to at some moment. */
export interface Marks {
  crashes: number;
  marks: number[];
}

export class Ledger {
  readonly files = new Map<number, OpenFile>();
  /** Writes that may still take effect although nobody waits for them. */
  cutOff: CutOff[] = [];
  /** Writes that somebody waits for. */
  openWrites = 0;
  readonly answers = { done: 0, refused: 0, unknown: 0 };
  /** When each request was sent, by its number. */
  readonly #startUs: number[] = [0];

  constructor(
    readonly clients: readonly Client[],
    readonly around: Surroundings,
  ) {}

  /** The number that the next request will have. */
  get nextRequest(): number {
    return this.#startUs.length;
  }

  /** What is known of a file; it begins to be watched with the first call. */
  file(inode: number, owner: Client): OpenFile {
    let file = this.files.get(inode);
    if (file === undefined) {
      file = { history: new FileHistory(inode), owner };
      this.files.set(inode, file);
    }
    return file;
  }

  /** A request is sent: its number. */
  start(client: Client, words: string): number {
    const id = this.nextRequest;
    this.#startUs.push(this.around.nowUs());
    this.around.note(`${client.name} ${words} (request ${id})`);
    return id;
  }

  done(id: number, words = 'done'): void {
    this.answers.done++;
    this.end(id, words);
  }

  end(id: number, words: string): void {
    this.around.note(`request ${id} ${words}`);
  }

  /** No definite answer came. */
  unknown(id: number, error: unknown): void {
    this.answers.unknown++;
    this.end(id, `cut off: ${error instanceof Error ? error.message : String(error)}`);
  }

  /** The request was refused. Throws when that refusal must not come. */
  refused(client: Client, id: number, inode: number, kind: RefusableKind, error: FileError): void {
    this.end(id, `refused: ${error.message}`);
    this.answers.refused++;
    switch (error.code) {
      case 'EIO':
        if (kind === 'read' || kind === 'write') return;
        // A metaserver whose disk fails refuses changes, and answers questions all the same.
        if (kind === 'mode' && this.around.mayRefuseChanges()) return;
        // Names that were answered and not yet on its disk may be gone with it: whoever asks for them to be durable hears so.
        if (kind === 'sync' && this.around.metaserverCrashes() > 0) return;
        break;
      case 'ENOSPC':
        if (kind === 'write' && this.around.mayBeFull(this.#startUs[id] ?? 0)) return;
        break;
      case 'ENOENT':
      // It was carried out, the answer was lost, and when it was asked again the file was gone.
      case 'ESTALE':
        if (this.#mustBeHeld(client, inode)) break;
        if (this.files.get(inode)?.owner.names.mayLack(inode) ?? true) return;
        break;
      default:
    }
    throw new Contradiction(`request ${id}: a ${kind} of inode ${inode} must not be refused with ${error.message}`);
  }

  /** What is open to the client stays, whoever takes its names. */
  #mustBeHeld({ name, held }: Client, inode: number): boolean {
    const sinceUs = held.get(inode) ?? null;
    return sinceUs !== null && !this.around.wasSilent(name, sinceUs);
  }

  /** What each client's names have come to, and how often the metaserver has crashed. */
  marks(): Marks {
    return { crashes: this.around.metaserverCrashes(), marks: this.clients.map((client) => client.names.mark) };
  }

  /** A sync that began at the marks was acknowledged. */
  synced({ crashes, marks }: Marks): void {
    // What a crash in between has lost was lost before the sync.
    if (crashes !== this.around.metaserverCrashes()) return;
    this.clients.forEach((client, at) => {
      client.names.synced(marks[at] ?? 0);
    });
  }

  /** A client's fsync was answered: judges what became of the client's own names since the one before. */
  verified(client: Client, verifier: Verifier): void {
    const unbroken = client.verifier === null || isUnbroken(client.verifier, verifier);
    if (!unbroken) {
      this.around.note(`${client.name} hears that changes are lost`);
      const isSame = mediatorOf(client.verifier) === mediatorOf(verifier);
      // Only what it could not know has a mediator not carried out again.
      if (isSame && !this.around.mayBeUnclear()) throw new Contradiction('a mediator lost changes for no reason');
    }
    client.names.verified(unbroken);
    client.verifier = verifier;
  }
}

/** Without the number of its losses. */
function mediatorOf(verifier: Verifier | null): string | undefined {
  return verifier?.mediator.split('/')[0];
}
