// Limits of the namespace, each with its reason.

/** Names of one inode, and subdirectories of one directory: ext4's limit. */
export const MAXIMUM_LINKS = 65_000;
/** A name of an extended attribute and its value: Linux's XATTR_NAME_MAX and XATTR_SIZE_MAX. */
export const MAXIMUM_XATTR_NAME_BYTES = 255;
export const MAXIMUM_XATTR_BYTES = 65_536;
/** All names of one inode's extended attributes with their closing zeros: Linux's XATTR_LIST_MAX. */
export const MAXIMUM_XATTR_LIST_BYTES = 65_536;
/**
 * Blocks that one command drops by a range or with their file, and notes of blocks that a server lacks: some milliseconds, in
 * which no other command runs, and a batch that fits into a message between metaservers.
 */
export const DROPPED_BLOCKS = 1024;
/** Cookies of a directory start here: 0 is its start, 1 and 2 stand for . and .. at the mount. */
export const FIRST_COOKIE = 3;
/** Entries of a block map in one answer, holes not counted: more would not fit into a message. */
export const MAXIMUM_BLOCKS = 65_536;
