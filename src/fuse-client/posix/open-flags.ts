// Flags of open(2), from asm-generic/fcntl.h, as the kernel hands them on.
export const OpenFlag = {
  ACCESS_MODE: 0o3,
  READ_ONLY: 0,
  WRITE_ONLY: 1,
  READ_WRITE: 2,
  EXCLUSIVE: 0o200,
  TRUNCATE: 0o1000,
  APPEND: 0o2000,
  DATA_SYNC: 0o10000,
  DIRECT: 0o40000,
} as const;

/**
 * Whether writes go past the page cache: as asked for, and for who only appends. The kernel ends a request with a page that it
 * does not have whole, so a write into two pages would come as two, and what others append could get between them.
 */
export function bypassesPageCache(flags: number): boolean {
  const onlyAppends = (flags & OpenFlag.APPEND) !== 0 && (flags & OpenFlag.ACCESS_MODE) === OpenFlag.WRITE_ONLY;
  return (flags & OpenFlag.DIRECT) !== 0 || onlyAppends;
}
