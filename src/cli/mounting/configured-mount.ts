// The mount of `nmrfs up`, as configured.
import type { Config } from '../../config.js';
import { chooseAllowOther, chooseAttributeTimeoutMs } from './binding.js';

export interface MountPlace {
  directory: string;
  binding: 'kernel' | 'fuse-native';
}

/** What mountFileSystem is told. */
export function configuredMount({ mount }: Config, { directory, binding }: MountPlace) {
  const { readOnly, accessTimes, maximumDirtyBytes } = mount;
  return {
    ...{ directory, binding, readOnly, accessTimes, maximumDirtyBytes },
    allowOther: chooseAllowOther(mount.allowOther),
    attributeTimeoutMs: chooseAttributeTimeoutMs(mount.attributeTimeoutMs, binding),
  };
}
