// What a process that mounts by fuse-native needs in its environment: nothing.
// library.ts loads the package's own libfuse, so neither LD_LIBRARY_PATH nor
// Debian's libfuse2 is needed.

export function fuseNativeEnvironment(): Record<string, string> {
  return {};
}
