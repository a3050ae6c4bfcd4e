// Inodes that were changed by commands which may not be on the metaserver's
// disk. Should a crash undo these, an fsync of each of them must fail, in every
// mount once: telling one program does not help another, which syncs something
// else.

/** Beyond this, the next command is sent as a durable one. Some megabytes. */
const CROWD = 65_536;

export class UnsyncedInodes {
  /** By inode: how many commands had been answered with the last that changed it. */
  readonly #changed = new Map<number, number>();
  /** Changed by what was not known to be durable when the connection was lost; nobody knows yet what has become of it. */
  #atStake = new Set<number>();

  get isCrowded(): boolean {
    return this.#changed.size > CROWD;
  }

  /** @param answered commands, with the one that has changed them */
  changed(inodes: readonly number[], answered: number): void {
    for (const inode of inodes) this.#changed.set(inode, answered);
  }

  /** The first `durable` of `answered` commands are on the disk, or gone for good. */
  forgetUpTo(durable: number, answered: number): void {
    if (durable === answered) this.#changed.clear();
    else if (this.isCrowded) for (const [inode, at] of this.#changed) if (at <= durable) this.#changed.delete(inode);
  }

  /** The connection is lost: what comes after the first `durable` commands may be undone. */
  lose(durable: number): void {
    for (const [inode, at] of this.#changed) if (at > durable) this.#atStake.add(inode);
  }

  /** Those that were at stake: it is known now what has become of them. */
  takeLost(): ReadonlySet<number> {
    const lost = this.#atStake;
    this.#atStake = new Set();
    return lost;
  }
}
