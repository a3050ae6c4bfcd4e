// The limits and proportions of a data server, each with its reason.

const KIB = 1024;
const MIB = 1024 * KIB;

/** The largest block: one must fit a message and a moment of memory several times over. */
export const MAXIMUM_BLOCK_BYTES = 16 * MIB;

/** A segment is closed when it has grown to this: large enough that few files are needed, small enough to be compacted within a second. */
export const SEGMENT_BYTES = 64 * MIB;

/**
 * A version in more pieces than this is written as a whole: every piece may be a seek of its own. A page written in the
 * middle of a block makes two more, so with 16 every eighth such write costs the block; with 8 it was every fourth.
 */
export const MAXIMUM_EXTENTS = 16;

/** Records begin at multiples of this, so that a search for the next one steps quickly. */
export const RECORD_ALIGNMENT_BYTES = 8;

/** Tombstones in one record. */
export const MAXIMUM_TOMBSTONES = 1024;

/** Tombstones that are kept in memory while the disk has no room for them: some ten megabytes. */
export const MAXIMUM_UNLOGGED_TOMBSTONES = 64 * MAXIMUM_TOMBSTONES;

/** A description (row or tombstones) larger than this is damage: 4096 page hashes take 32 KiB, tombstones 36 KiB. */
export const MAXIMUM_META_BYTES = 64 * KIB;

/** One write to the log: larger ones gain nothing and hold everybody else up. */
export const MAXIMUM_BATCH_BYTES = 4 * MIB;
export const MAXIMUM_BATCH_MUTATIONS = 1024;

/** Entries of one list answer; a caller who wants more follows the cursor. */
export const MAXIMUM_LIST_ENTRIES = 4096;

/**
 * Zeros that are written ahead of small records that are to be synced. A sync of a file that has grown waits for its inode
 * too: on ext4 on a virtual disk 250 to 350 µs instead of 105. Large records are worth their inode.
 */
export const ZEROS_AHEAD_BYTES = 256 * KIB;
export const SMALL_APPEND_BYTES = 64 * KIB;

/**
 * Reads past the page cache: no shorter than this, since they have no read-ahead, and no longer than what a mount asks for at once,
 * 1 MiB and the headers of its records. Memory for them is taken and kept for as
 * many at once as a mount has under way, twice.
 */
export const DIRECT_READ_BYTES = 256 * KIB;
export const DIRECT_READ_MAXIMUM_BYTES = MIB + 64 * KIB;
export const KEPT_DIRECT_MEMORIES = 16;
/** Other records that are read along rather than begin a new read. */
export const DIRECT_READ_GAP_BYTES = 16 * KIB;

/** What was read ahead is of no use any more after this. */
export const READ_AHEAD_LIFE_MS = 100;

/** Open segment files, of two descriptors each at most; the least recently used one is closed beyond it. */
export const MAXIMUM_OPEN_FILES = 256;

/** A closed segment whose live share falls below this is compacted: then a copy frees at least as much as it writes. */
export const COMPACTION_LIVE_SHARE = 0.5;

/** Bytes that compaction copies before it rests, or the time that it works, whichever comes first … */
export const COMPACTION_STRETCH_BYTES = MIB;
export const COMPACTION_STRETCH_MS = 5;
/** … so many times as long as it worked: five servers on one machine take a quarter of a core together … */
export const COMPACTION_REST_FACTOR = 20;
/** … and for so long at least, which is all while it is needed in a hurry: a hundred megabytes a second at most. */
export const COMPACTION_REST_MS = 10;
/** No longer than this: a disk that stood still for a moment was no work. */
export const COMPACTION_LONGEST_REST_MS = 1000;
/** While there are requests it rests so many times, fewer the more waits: what it did meanwhile cost a fifth of the syncs. */
export const COMPACTION_BUSY_RESTS = 4;
/** How soon a segment whose sync failed is tried again when it could not be written anew. */
export const COMPACTION_RETRY_MS = 1000;
/** More segments than this that wait are a hurry: a gigabyte, at least half of it dead. */
export const COMPACTION_BACKLOG_SEGMENTS = 16;

/** How often the room on the disk is looked at, in bytes written and in time. */
export const SPACE_CHECK_BYTES = 4 * MIB;
export const SPACE_CHECK_INTERVAL_MS = 1000;

/**
 * How long the index may lag behind the log, and by how many blocks: a start after a crash reads what was logged meanwhile
 * once more, and memory holds it. A transaction for every batch took a fifth of a data server's time.
 */
export const INDEX_SAVE_INTERVAL_MS = 1000;
export const INDEX_SAVE_BLOCKS = 512;
