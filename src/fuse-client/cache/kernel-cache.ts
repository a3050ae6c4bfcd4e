// What a mount can ask the kernel to forget. The fuse-native binding has no way
// to ask; there the kernel's own timeouts must do.
import type { FileName } from '../../protocol/services/files.js';

export interface KernelCache {
  /** Size, times and mode are fetched anew at their next use. */
  forgetAttributes(inode: number): void;
  /** So are the bytes. */
  forgetContent(inode: number): void;
  /**
   * Resolves when the kernel has sent as writes what programs stored through mappings of the file until now; it forgets the
   * file's bytes with that. Never rejects.
   */
  writeBack(inode: number): Promise<void>;
  /** What the name stands for is looked up at its next use. */
  forgetName(parent: number, name: FileName): void;
  /** What had the first name, which was forgotten like the second, has the second now; or both were exchanged. */
  followRename(from: { parent: number; name: FileName }, to: { parent: number; name: FileName }): void;
  /** All names, attributes and bytes are fetched anew. */
  forgetEverything(): void;
  /** Resolves when the kernel has forgotten all that it was asked to until now. */
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
