/**
 * Runs `check` over items, several at a time: a browser that polls for finished work waits once for all of them.
 *
 * @throws Error naming the first item that fails.
 */
export async function checkTogether<T>(
  items: readonly T[],
  nameOf: (item: T) => string,
  check: (item: T) => Promise<void>,
): Promise<void> {
  const AT_A_TIME = 8;
  for (let start = 0; start < items.length; start += AT_A_TIME) {
    const running = items.slice(start, start + AT_A_TIME).map(async (item) => {
      try {
        await check(item);
      } catch (error) {
        throw new Error(`${nameOf(item)}: ${String(error)}`, { cause: error });
      }
    });
    // All of them, so that none goes on beside what comes next.
    const failed = (await Promise.allSettled(running)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }
}
