// Which way to mount, and what a process that does so needs in its environment.

/** auto: the kernel's own protocol needs root to mount, the package has a helper for everybody else. */
export function chooseBinding(wanted: 'auto' | 'kernel' | 'fuse-native'): 'kernel' | 'fuse-native' {
  if (wanted !== 'auto') {
    return wanted;
  }
  return process.getuid?.() === 0 ? 'kernel' : 'fuse-native';
}

/** Environment for a process that mounts with this binding; it must be there when the process starts. */
export async function bindingEnvironment(binding: 'kernel' | 'fuse-native'): Promise<Record<string, string>> {
  if (binding === 'kernel') {
    return {};
  }
  const { fuseNativeEnvironment } = await import('../fuse-client/fuse-native/environment.js');
  return fuseNativeEnvironment();
}
