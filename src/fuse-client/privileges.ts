// The set-id bits of a file's mode, which go when somebody without privileges
// changes its content or owner: POSIX write() and chown().

const SET_USER_ID = 0o4000;
const SET_GROUP_ID = 0o2000;
const GROUP_EXECUTE = 0o010;

/** A file's mode after somebody without privileges changed its content or owner. */
export function withoutPrivileges(mode: number): number {
  const withoutUser = mode & ~SET_USER_ID;
  return (mode & GROUP_EXECUTE) === 0 ? withoutUser : withoutUser & ~SET_GROUP_ID;
}
