// Files that are read and replaced as a whole.
import { join } from 'node:path';
import type { Disk } from '../../runtime/disk.js';
import { damaged } from './damage.js';

export class SmallFiles {
  readonly #directory: string;
  readonly #disk: Disk;

  constructor(directory: string, disk: Disk) {
    this.#directory = directory;
    this.#disk = disk;
  }

  /** undefined when it is missing. */
  async read(name: string): Promise<Uint8Array | undefined> {
    return this.#disk.readFile(join(this.#directory, name));
  }

  async replace(name: string, content: Uint8Array): Promise<void> {
    await this.#disk.makeDirectory(this.#directory);
    await this.#disk.replaceFile(join(this.#directory, name), content);
  }

  /** Throws with the file's name when it is no JSON. */
  async readJson(name: string): Promise<unknown> {
    const bytes = await this.read(name);
    if (bytes === undefined) return undefined;
    try {
      return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
    } catch (cause) {
      throw damaged(join(this.#directory, name), 'it is no JSON', cause);
    }
  }

  async replaceJson(name: string, value: unknown): Promise<void> {
    await this.replace(name, new TextEncoder().encode(`${JSON.stringify(value)}\n`));
  }
}
