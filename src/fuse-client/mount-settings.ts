// What both bindings are told, and what they give back.

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
  /** Stores what is pending, then unmounts; one in use is taken from its users. */
  unmount(): Promise<void>;
  /** Resolves when the mount is gone, whoever took it away. */
  readonly ended: Promise<void>;
  /** What it keeps in memory, in entries, by what they are. */
  kept(): Record<string, number>;
}
