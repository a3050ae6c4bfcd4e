// Loads the package fuse-native with the libfuse 2 that it ships. Its binding
// needs libfuse.so.2, and takes one that is in the process already: so the
// package's own is loaded first.
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import type { NativeClass } from './native-types.js';

/** dlopen(3): stay loaded, although Node closes what turns out to be no addon. */
const RTLD_NODELETE = 0x1000;

/** Throws when the package or its library can't be loaded on this machine. */
export function loadFuseNative(): NativeClass {
  const require = createRequire(import.meta.url);
  // A dependency of the package, hence found from where the package is.
  const ofPackage = createRequire(require.resolve('fuse-native'));
  const { lib } = ofPackage('fuse-shared-library') as { lib: string };
  try {
    process.dlopen({ exports: {} }, lib, constants.dlopen.RTLD_NOW | constants.dlopen.RTLD_GLOBAL | RTLD_NODELETE);
  } catch (error) {
    // Loaded, but no addon: as it should be. Anything else shows when the binding is loaded.
    if (!(error instanceof Error) || !error.message.includes('did not self-register')) throw error;
  }
  return require('fuse-native') as NativeClass;
}
