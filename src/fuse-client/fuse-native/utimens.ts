// fuse-native 2.2.6 gives utimens the access time twice. The modification time is
// in the request's C struct, whose memory is the handler's first argument: it is
// read from there, after a check that the struct looks as expected.
import type { Log } from '../../runtime/log.js';
import type { NativeInstance } from './native-types.js';

/** op_utimens in the package's source. */
const UTIMENS = 12;
/** fuse_thread_locals_t on 64-bit Linux: milliseconds since 1970, 64 bits each. */
const ACCESS_TIME_AT = 104;
const MODIFY_TIME_AT = 112;

/** Makes `native` hand over both times. When the struct is another than expected, both stay the access time. */
export function repairUtimens(native: NativeInstance, log: Log): void {
  const original = native._handlers[UTIMENS];
  if (original === undefined) throw new Error('fuse-native has no utimens: not the version that this was written for');
  native._handlers[UTIMENS] = (request, operation, path, ...times) => {
    const [accessLow, accessHigh] = times;
    const looksRight =
      request.length >= MODIFY_TIME_AT + 8 &&
      request.readUInt32LE(ACCESS_TIME_AT) === accessLow &&
      request.readUInt32LE(ACCESS_TIME_AT + 4) === accessHigh;
    if (!looksRight) {
      log.warn('mount.utimens', { error: 'the modification time cannot be found; the access time is taken for both' });
      original(request, operation, path, ...times);
      return;
    }
    // Signed: the package multiplies the high word, so a negative one gives a time before 1970.
    const words = [ACCESS_TIME_AT, MODIFY_TIME_AT].flatMap((at) => [
      request.readUInt32LE(at),
      request.readInt32LE(at + 4),
    ]);
    original(request, operation, path, ...words);
  };
}
