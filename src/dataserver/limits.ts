// The limits and proportions of a data server, each with its reason.

const KIB = 1024;
const MIB = 1024 * KIB;

/** The largest block: several must fit into a message, and into memory at once. */
export const MAXIMUM_BLOCK_BYTES = 16 * MIB;

/** A segment is closed when it has grown to this: large enough that few files are needed, small enough to be compacted within a second. */
export const SEGMENT_BYTES = 64 * MIB;

/**
 * A version in more pieces than this is written as a whole: every piece may be a seek of its own. A page written in the
 * middle of a block makes two more, so with 16 every eighth such write costs the block; with 8 it was every fourth.
 */
export const MAXIMUM_EXTENTS = 16;

/** Records begin at multiples of this, which makes the search for the next one faster. */
export const RECORD_ALIGNMENT_BYTES = 8;

/** Tombstones in one record. */
export const MAXIMUM_TOMBSTONES = 1024;

/** Tombstones that are kept in memory while the disk has no room for them: some ten megabytes. */
export const MAXIMUM_UNLOGGED_TOMBSTONES = 64 * MAXIMUM_TOMBSTONES;

/** A description (row or tombstones) larger than this is damage: 4096 page hashes take 32 KiB, tombstones 36 KiB. */
export const MAXIMUM_META_BYTES = 64 * KIB;

/** One write to the log: larger ones are no faster, and make later requests wait. */
export const MAXIMUM_BATCH_BYTES = 4 * MIB;
export const MAXIMUM_BATCH_MUTATIONS = 1024;

/** Entries of one list answer; a caller who wants more follows the cursor. */
export const MAXIMUM_LIST_ENTRIES = 4096;

/**
 * Zeros that are written ahead of small records that are to be synced. A sync of a file that has grown waits for its inode
 * too: on ext4 on a virtual disk 250 to 350 µs instead of 105. Large records are worth that wait.
 */
export const ZEROS_AHEAD_BYTES = 256 * KIB;
export const SMALL_APPEND_BYTES = 64 * KIB;

/**
 * Direct reads: no shorter than this, since the system does not read ahead for them, and no longer than what a mount asks for
 * at once, 1 MiB and the headers of its records. Memory is kept for twice as many at once as a mount has under way.
 */
export const DIRECT_READ_BYTES = 256 * KIB;
export const DIRECT_READ_MAXIMUM_BYTES = MIB + 64 * KIB;
export const KEPT_DIRECT_MEMORIES = 16;
/** A gap of other records up to this size is read along rather than split a direct read. */
export const DIRECT_READ_GAP_BYTES = 16 * KIB;

/** Direct appends: no smaller than this, and copied into so much memory at once, which fits into one huge page. */
export const DIRECT_APPEND_BYTES = 256 * KIB;
export const DIRECT_APPEND_MEMORY_BYTES = 2 * MIB - 8 * KIB;

/** Read-ahead older than this is not used: the disk may have other bytes by now. */
export const READ_AHEAD_LIFE_MS = 100;

/** Open segment files, of three descriptors each at most; the least recently used one is closed beyond it. */
export const MAXIMUM_OPEN_FILES = 256;

/** A closed segment whose live share falls below this is compacted: then a copy frees at least as much as it writes. */
export const COMPACTION_LIVE_SHARE = 0.5;

/** The most that compaction moves with one write, for which puts wait: so many blocks and bytes, or one block that is larger. */
export const COMPACTION_MOVED_BLOCKS = 32;
export const COMPACTION_MOVED_BYTES = 128 * KIB;

/** Compaction rests after copying so many bytes or working for so long, whichever comes first … */
export const COMPACTION_STRETCH_BYTES = MIB;
export const COMPACTION_STRETCH_MS = 5;
/** … for so many times as long as it has worked: five servers on one machine then use a quarter of a core together … */
export const COMPACTION_REST_FACTOR = 20;
/** … and for at least this long. In a hurry it rests no longer: a hundred megabytes a second at most. */
export const COMPACTION_REST_MS = 10;
/** The longest rest: if work took long because the disk stood still, that was no load. */
export const COMPACTION_LONGEST_REST_MS = 1000;
/** Rests in a row while requests come, fewer the more segments wait: with one alone, compaction cost a fifth of the syncs. */
export const COMPACTION_BUSY_RESTS = 4;
/** After a failed segment could not be emptied, when it is tried again. */
export const COMPACTION_RETRY_MS = 1000;
/** After so many attempts what its disk does not read counts as lost there: no sync succeeds before it is emptied. */
export const COMPACTION_READ_ATTEMPTS = 5;
/** With more waiting segments than this, compaction hurries: a gigabyte, at least half of it dead. */
export const COMPACTION_BACKLOG_SEGMENTS = 16;

/** The free room on the disk is looked up again after so many written bytes, or this time. */
export const SPACE_CHECK_BYTES = 4 * MIB;
export const SPACE_CHECK_INTERVAL_MS = 1000;

/**
 * How far the index may lag behind the log, in time and in blocks. The lag is kept in memory, and replayed by a start after a
 * crash. A transaction for every batch took a fifth of a data server's time.
 */
export const INDEX_SAVE_INTERVAL_MS = 1000;
export const INDEX_SAVE_BLOCKS = 512;
