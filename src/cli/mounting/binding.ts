// Which way to mount, and what a process that does so needs in its environment.
import { SESSION_GRACE_MS } from '../../protocol/services/sessions.js';
import { mountEnvironment } from '../../runtime/node/malloc-options.js';

const UNTOLD_TIMEOUT_MS = 1000;

/** auto: the kernel's own protocol, which can do more and is faster; ordinary users mount it through fusermount3. */
export function chooseBinding(wanted: 'auto' | 'kernel' | 'fuse-native'): 'kernel' | 'fuse-native' {
  return wanted === 'auto' ? 'kernel' : wanted;
}

/** auto: root shares its mount with all users, as every other file system does; an ordinary user may not, as a rule. */
export function chooseAllowOther(wanted: boolean | 'auto'): boolean {
  return wanted === 'auto' ? process.getuid?.() === 0 : wanted;
}

/**
 * auto, with the kernel binding: the mount tells the kernel at once what other mounts change, so the timeout matters only when
 * the mediator can't reach the mount, and then its session ends after the same time. With fuse-native the kernel is told
 * nothing, so it must ask often.
 */
export function chooseAttributeTimeoutMs(wanted: number | 'auto', binding: 'kernel' | 'fuse-native'): number {
  if (wanted !== 'auto') return wanted;
  return binding === 'kernel' ? SESSION_GRACE_MS : UNTOLD_TIMEOUT_MS;
}

/** Environment for a process that mounts with this binding; it must be there when the process starts. */
export async function bindingEnvironment(binding: 'kernel' | 'fuse-native'): Promise<Record<string, string>> {
  const memory = mountEnvironment(process.env);
  if (binding === 'kernel') {
    return memory;
  }
  const { fuseNativeEnvironment } = await import('../../fuse-client/fuse-native/environment.js');
  return { ...memory, ...fuseNativeEnvironment() };
}
