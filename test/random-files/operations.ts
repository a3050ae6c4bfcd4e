// The operations on random files, as plain values: what a seed chooses, the
// model carries out on its own bytes, and Python on the files.

/** How a file is opened. `direct` goes past the kernel's cache where the file system allows any offset for it. */
export type Mode = 'plain' | 'append' | 'direct' | 'cut';

/** The modes of fallocate(2): a hole; zeros, with or without a new end; room, with or without a new end. */
export type Allocation = 'punch' | 'zero' | 'zero-keep' | 'allocate' | 'allocate-keep';

export interface Range {
  offset: number;
  length: number;
}

/** An operation upon an open file. */
export type HandleOperation =
  | ({ kind: 'write'; handle: number } & Range)
  /** `uncached`: the kernel is asked before to forget what it has of the file. */
  | ({ kind: 'read'; handle: number; uncached: boolean } & Range)
  | { kind: 'truncate'; handle: number; sizeBytes: number }
  /** One that does not wait goes on while the operations after it run; it must succeed all the same. */
  | { kind: 'fsync'; handle: number; waits: boolean }
  | ({ kind: 'mapped-read'; handle: number } & Range)
  | ({ kind: 'mapped-write'; handle: number; synced: boolean } & Range)
  | ({ kind: 'fallocate'; handle: number; allocation: Allocation } & Range)
  /** Where data and holes are. */
  | { kind: 'seek'; handle: number }
  | { kind: 'copy'; handle: number; offset: number; target: number; targetOffset: number; length: number };

/** An operation upon names. */
export type NameOperation =
  | { kind: 'create'; name: string; handle: number }
  | { kind: 'open'; name: string; handle: number; mode: Mode }
  | { kind: 'close'; handle: number }
  | { kind: 'truncate-name'; name: string; sizeBytes: number }
  | { kind: 'rename'; name: string; to: string }
  | { kind: 'exchange'; name: string; to: string }
  | { kind: 'link'; name: string; to: string }
  | { kind: 'unlink'; name: string };

export type Operation = HandleOperation | NameOperation;

/** One line for people: the kind, then all the rest. */
export function describe(operation: Operation): string {
  const { kind, ...rest } = operation;
  return [kind, ...Object.entries(rest).map(([key, value]) => `${key} ${value}`)].join(' ');
}
