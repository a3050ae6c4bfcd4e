import type { FileName } from '../../protocol/services/files.js';

/** A name in a directory. */
export interface NamePlace {
  parent: number;
  name: FileName;
}
