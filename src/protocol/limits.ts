// Every limit of the transport with its reason, in one place. Each is checked
// before the memory that it bounds is taken.

const MIB = 1024 * 1024;

/** One frame. A message carries at most a few dozen blocks of 1 MiB; a claim beyond this is an attack or a bug. */
export const MAXIMUM_FRAME_BYTES = 64 * MIB;

/** The part of a frame that is decoded into objects, which take far more memory than their bytes. The longest lists are paged well below it. */
export const MAXIMUM_HEADER_BYTES = 8 * MIB;

/** Values in one header: an empty object costs its sender one byte and its receiver fifty. */
export const MAXIMUM_HEADER_VALUES = 1_000_000;

/** Objects and arrays within each other. Services need five; a decoder that recurses must be stopped before its stack is. */
export const MAXIMUM_DEPTH = 32;

/** Requests of one connection that wait for their reply. Far more than keeps a server busy; a caller holds further ones back. */
export const MAXIMUM_REQUESTS_IN_FLIGHT = 4096;

/** Request bytes of one connection that are being worked on: beyond it, the server stops reading from that connection. */
export const MAXIMUM_BYTES_IN_FLIGHT = 256 * MIB;

/** Replies that a slow reader has not taken yet: beyond it, the server stops reading its requests … */
export const REPLY_QUEUE_HIGH_BYTES = 16 * MIB;
/** … until they have shrunk to this. */
export const REPLY_QUEUE_LOW_BYTES = 4 * MIB;
/** How often a shrinking queue is looked at: about the time that a local socket takes for the difference of the two above. */
export const REPLY_QUEUE_POLL_MS = 4;

/** Requests that the network has not taken yet: beyond it, a caller holds further ones back. One frame more may always follow. */
export const REQUEST_QUEUE_BYTES = 64 * MIB;

/** Byte arrays shorter than this stay in the header: lifting them out costs more than copying them. */
export const MINIMUM_PAYLOAD_BYTES = 64;

/** A frame of the handshake: all are below 100 bytes, but a refusal has a reason in words. */
export const MAXIMUM_HANDSHAKE_FRAME_BYTES = 1024;

/** Until both sides know each other; a connection that is not through by then holds a place for nothing. */
export const HANDSHAKE_DEADLINE_MS = 5_000;

/** Body of an HTTP request: base64 makes a file of 16 MiB, the largest that XML-RPC carries, grow to 22. */
export const MAXIMUM_HTTP_BODY_BYTES = 32 * MIB;
