// What a process that mounts by fuse-native needs in its environment when it
// starts: nothing. The package's own libfuse is brought in by library.ts, so
// neither LD_LIBRARY_PATH nor Debian's libfuse2 is needed.

export function fuseNativeEnvironment(): Record<string, string> {
  return {};
}
