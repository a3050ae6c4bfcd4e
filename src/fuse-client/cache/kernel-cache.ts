// How a mount has the kernel forget what it has cached. The fuse-native binding
// has no way to do so, and relies on the kernel's own timeouts.
import type { FileName } from '../../protocol/services/files.js';
import type { NamePlace } from '../posix/name-place.js';

export interface KernelCache {
  /** Size, times and mode are fetched anew at their next use. */
  forgetAttributes(inode: number): void;
  /** Attributes and bytes are fetched anew at their next use. */
  forgetContent(inode: number): void;
  /**
   * Makes the kernel send the pages that programs have changed through mappings, and forget the file's bytes. Resolves when
   * it has. Never rejects.
   */
  writeBack(inode: number): Promise<void>;
  /** The name is looked up anew at its next use. */
  forgetName(parent: number, name: FileName): void;
  /** `from` was renamed to `to`, or exchanged with it, after both names were forgotten. */
  followRename(from: NamePlace, to: NamePlace): void;
  /** All names, attributes and bytes are fetched anew. */
  forgetEverything(): void;
  /** Resolves when the kernel has forgotten everything that it was asked to forget. */
  forgotten(): Promise<void>;
}

export const forgetfulKernelCache: KernelCache = {
  forgetAttributes() {},
  forgetContent() {},
  async writeBack() {},
  forgetName() {},
  followRename() {},
  forgetEverything() {},
  async forgotten() {},
};
