// How a data server's memory is to be taken from the system.

/** glibc's name for: where the system gives huge pages to who asks, ask. Other C libraries do not look at it. */
const HUGE_PAGES = 'glibc.malloc.hugetlb';

/**
 * What a data server needs in its environment, beside that of `given`: large buffers in huge pages. A disk reads into a buffer that
 * is one piece of memory, not hundreds: a virtual one here 2.4 GB/s instead of 1.1.
 */
export function dataServerEnvironment(given: NodeJS.ProcessEnv): Record<string, string> {
  const tunables = given.GLIBC_TUNABLES ?? '';
  if (tunables.includes(HUGE_PAGES)) return {};
  return { GLIBC_TUNABLES: [tunables, `${HUGE_PAGES}=1`].filter((each) => each !== '').join(':') };
}
