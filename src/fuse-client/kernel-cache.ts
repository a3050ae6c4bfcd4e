// What a mount can ask the kernel to forget. The fuse-native binding has no way
// to ask; there the kernel's own timeouts must do.

export interface KernelCache {
  /** Size, times and mode are fetched anew at their next use. */
  forgetAttributes(inode: number): void;
  /** So are the bytes. */
  forgetContent(inode: number): void;
}

export const forgetfulKernelCache: KernelCache = {
  forgetAttributes() {},
  forgetContent() {},
};
