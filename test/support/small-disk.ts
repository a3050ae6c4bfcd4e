// A small file system of its own for one server's folder, so that a test can
// fill it, make it read-only, break it, and have it whole again. Needs root.
import { rm, unlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { run } from './cluster.js';

export class SmallDisk {
  readonly #image: string;

  private constructor(
    readonly directory: string,
    image: string,
  ) {
    this.#image = image;
  }

  /** Mounts one of so many mebibytes at `directory`, which is made; its image lies beside it. */
  static async mount(directory: string, mebibytes: number): Promise<SmallDisk> {
    const image = `${directory}.img`;
    await must('mkdir', '-p', directory);
    await must('truncate', '-s', `${mebibytes}M`, image);
    await must('mkfs.ext4', '-q', '-m', '0', '-e', 'remount-ro', image);
    await must('mount', '-o', 'loop', image, directory);
    return new SmallDisk(directory, image);
  }

  /** Takes all the room that is left. */
  async fill(): Promise<void> {
    await run('dd', ['if=/dev/zero', `of=${this.#filler}`, 'bs=4k', 'conv=fsync'], '/');
  }

  /** Gives back what `fill` took. */
  async drain(): Promise<void> {
    await unlink(this.#filler);
  }

  /** As the system does when it finds the file system damaged: nothing is written any more, to files that are open either. */
  async turnReadOnly(): Promise<void> {
    const device = basename((await must('findmnt', '-no', 'SOURCE', this.directory)).trim());
    await writeFile(`/sys/fs/ext4/${device}/trigger_fs_error`, '1');
  }

  /** Works while nobody has a file open for writing. */
  async remount(mode: 'ro' | 'rw'): Promise<void> {
    await must('mount', '-o', `remount,${mode}`, this.directory);
  }

  async unmount(): Promise<void> {
    await run('umount', ['-l', this.directory], '/');
    await rm(this.#image, { force: true });
  }

  get #filler(): string {
    return join(this.directory, 'filler');
  }
}

async function must(file: string, ...parameters: string[]): Promise<string> {
  const { status, stdout, stderr } = await run(file, parameters, '/');
  if (status !== 0) throw new Error(`${file} ${parameters.join(' ')}: ${stderr}`);
  return stdout;
}
