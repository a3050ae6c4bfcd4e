// A mount of files in memory, served by a child process. The child unmounts
// when its parent goes away, and is killed when it does not.
import { type ChildProcess, execFile, fork } from 'node:child_process';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { MountOptions } from '../../src/fuse-client/mount.js';
import type { MemoryFaults } from './memory-files.js';

const STARTUP_MS = 10_000;
const UNMOUNT_MS = 5000;

export class MemoryMount {
  /** What the child printed: its log and how it failed. */
  complaints = '';

  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  private constructor(
    readonly directory: string,
    child: ChildProcess,
    exited: Promise<void>,
  ) {
    this.#child = child;
    this.#exited = exited;
  }

  static async start(
    binding: MountOptions['binding'],
    options: Omit<MountOptions, 'directory' | 'binding'> = {},
  ): Promise<MemoryMount> {
    const directory = await mkdtemp(join(tmpdir(), 'nmrfs-mount-'));
    const script = fileURLToPath(new URL('./serve-memory-mount.js', import.meta.url));
    const child = fork(script, [directory, binding, JSON.stringify(options)], {
      env: { ...process.env, UV_THREADPOOL_SIZE: '8' },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const mount = new MemoryMount(directory, child, exited);
    child.stderr?.on('data', (chunk: Buffer) => {
      mount.complaints += chunk.toString('utf8');
    });
    try {
      await mount.#message(STARTUP_MS);
    } catch (error) {
      await mount.done();
      throw error;
    }
    return mount;
  }

  /** Switches faults of the files behind the mount; resolves when they are in force. */
  async setFaults(faults: MemoryFaults): Promise<void> {
    const answer = this.#message(STARTUP_MS);
    this.#child.send({ faults });
    await answer;
  }

  /** Calls of the service so far, by method. */
  async calls(): Promise<Record<string, number>> {
    const answer = this.#message(STARTUP_MS);
    this.#child.send({ calls: true });
    return ((await answer) as { calls: Record<string, number> }).calls;
  }

  /** Unmounts and leaves nothing behind, whatever state it is in. */
  async done(): Promise<void> {
    if (this.#child.connected) this.#child.send({ faults: {} }, () => this.#child.send({ unmount: true }, () => {}));
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), UNMOUNT_MS);
    await this.#exited;
    clearTimeout(timer);
    await this.#unmountAnyway();
    await rmdir(this.directory);
  }

  /** Takes the mount away as another program would, and waits for the child to notice. */
  async unmountFromOutside(): Promise<void> {
    await promisify(execFile)('umount', ['-l', this.directory]);
    await this.#exited;
  }

  async #unmountAnyway(): Promise<void> {
    try {
      await promisify(execFile)('umount', ['-l', this.directory]);
    } catch {
      // Not mounted any more: as it should be.
    }
  }

  #message(limitMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        this.#child.off('message', got);
        this.#child.off('close', ended);
      };
      const got = (message: unknown) => {
        stop();
        resolve(message);
      };
      const ended = () => {
        stop();
        reject(new Error(`the serving process ended: ${this.complaints}`));
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error('the serving process does not answer'));
      }, limitMs);
      this.#child.once('message', got);
      this.#child.once('close', ended);
    });
  }
}
