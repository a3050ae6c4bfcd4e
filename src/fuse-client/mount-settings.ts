// What both bindings are given, and what they return.

/** Whether reading moves a file's access time; see mount(8). */
export type AccessTimesMode = 'noatime' | 'relatime';

export interface MountSettings {
  directory: string;
  attributeTimeoutMs: number;
  maximumDirtyBytes: number;
  readOnly: boolean;
  allowOther: boolean;
  accessTimes: AccessTimesMode;
  source: string;
  kernelOptions: readonly string[];
}

export interface Mount {
  readonly directory: string;
  /** Stores what is pending, then unmounts, also while programs use the mount. */
  unmount(): Promise<void>;
  /** Resolves when the mount is gone, whoever unmounted it. */
  readonly ended: Promise<void>;
  /** How many entries of each kind it keeps in memory. */
  kept(): Record<string, number>;
}
