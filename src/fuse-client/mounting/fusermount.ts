// Mounting as an ordinary user, through fusermount3 (Debian package fuse3): it
// is allowed to mount, opens /dev/fuse as the user and hands it over the socket
// that _FUSE_COMMFD names. It refuses what the administrator has not allowed in
// /etc/fuse.conf, and says so itself.
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

/** lazily: the name goes now, the mount itself when nobody uses it any more. */
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

/** As fusermount3 takes a comma within an option's value. */
function escapeOption(text: string): string {
  return text.replace(/[\\,]/g, '\\$&');
}
