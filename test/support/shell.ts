// Programs run beside the test, as a user would run them. Always with a time
// limit: a mount that hangs must not hang the test.
import { execFile } from 'node:child_process';

const TIME_LIMIT_MS = 15_000;

export interface ShellResult {
  status: number;
  output: string;
  complaint: string;
}

/** Runs a bash script; answers how it ended, whatever that was. Rejects only when it was killed by the time limit. */
export function shell(script: string, directory: string): Promise<ShellResult> {
  return new Promise((resolve, reject) => {
    const options = { cwd: directory, timeout: TIME_LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: 2 ** 26 } as const;
    // --norc, here and wherever bash is started: with a socket for its input it takes itself for a remote shell, and reads .bashrc.
    execFile('bash', ['--norc', '-c', script], { ...options, encoding: 'latin1' }, (error, output, complaint) => {
      if (error === null) resolve({ status: 0, output, complaint });
      else if (typeof error.code === 'number') resolve({ status: error.code, output, complaint });
      else reject(new Error(`did not end within ${TIME_LIMIT_MS} ms: ${script}`));
    });
  });
}

/** Runs a bash script that must succeed (every command of it); answers what it printed. */
export async function succeed(script: string, directory: string): Promise<string> {
  const { status, output, complaint } = await shell(`set -e -o pipefail\n${script}`, directory);
  if (status !== 0) throw new Error(`status ${status} of: ${script}\n${output}${complaint}`);
  return output;
}

/** Runs a Python script that must succeed. It has a `refused`, which tells with which error a call fails. */
export function python(directory: string, script: string): Promise<string> {
  const program = `
import errno, os
def refused(call, *arguments):
    try: call(*arguments)
    except OSError as error: return errno.errorcode[error.errno]
    return 'nothing'
${script}
`;
  return succeed(`python3 - <<'END'${program}END`, directory);
}
