// Mounts for ordinary users, through fusermount3 (Debian package fuse3), which is
// allowed to: it opens /dev/fuse as the user and sends the descriptor over the
// socket that _FUSE_COMMFD names. What the administrator has not allowed in
// /etc/fuse.conf it refuses with its own message.
import { DescriptorChannel } from './descriptor-channel.js';
import { runProgram } from './programs.js';

const PROGRAM = 'fusermount3';

/** Mounts; resolves with the descriptor of the device, which belongs to the caller. Rejects with what fusermount3 said. */
export async function mountAsUser(
  directory: string,
  { type, source, options }: { type: string; source: string; options: readonly string[] },
): Promise<number> {
  const subtype = type.slice(type.indexOf('.') + 1);
  const all = [`fsname=${escapeOption(source)}`, `subtype=${subtype}`, ...options];
  const channel = await DescriptorChannel.open();
  try {
    await runFusermount(['-o', all.join(','), '--', directory], {
      // In the child, the first descriptor after the standard ones.
      descriptors: [channel.otherEnd],
      environment: { _FUSE_COMMFD: '3' },
    });
    return channel.receive();
  } finally {
    channel.close();
  }
}

/** `lazily`: the name goes at once, the mount itself when nobody uses it any more. */
export async function unmountAsUser(directory: string, lazily: boolean): Promise<void> {
  await runFusermount([lazily ? '-uz' : '-u', '--', directory], {});
}

async function runFusermount(parameters: string[], more: Parameters<typeof runProgram>[2]): Promise<void> {
  try {
    await runProgram(PROGRAM, parameters, more);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new Error(`${PROGRAM} is not installed, which ordinary users mount through (Debian: apt install fuse3)`);
    }
    throw error;
  }
}

/** Escapes an option's value for fusermount3, which takes a bare comma for its end. */
function escapeOption(text: string): string {
  return text.replace(/[\\,]/g, '\\$&');
}
