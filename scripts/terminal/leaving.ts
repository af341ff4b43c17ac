/** What is put right before this process ends early: at a signal, or because nobody reads what it prints. */
import { constants } from 'node:os';

type Task = () => unknown;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** A browser that is hung up must not hold the terminal for longer. */
const LIMIT_MS = 5000;
/** npm and tsx pass signals on that the terminal has sent to all of them, so one press of Ctrl-C may come twice, or three times. */
const ONE_PRESS_MS = 500;

const tasks = new Set<Task>();
let goingSince: number | undefined;
let areSignalsHeard = false;

/** Whether this process is about to end, so that what fails now fails because of that. */
export function isLeaving(): boolean {
  return goingSince !== undefined;
}

/**
 * Has a task done if SIGINT, SIGTERM or SIGHUP ends this process, or {@link leave}. The last one comes first.
 *
 * @returns what takes the task back.
 */
export function beforeLeaving(task: Task): () => void {
  tasks.add(task);
  if (!areSignalsHeard) {
    areSignalsHeard = true;
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        const status = 128 + constants.signals[signal];
        // Who asks twice does not want to wait.
        if (goingSince === undefined) void leave(status);
        else if (performance.now() - goingSince > ONE_PRESS_MS) process.exit(status);
      });
    }
  }
  return () => {
    tasks.delete(task);
  };
}

/** Does all tasks, then ends the process. */
export async function leave(status: number): Promise<never> {
  goingSince = performance.now();
  setTimeout(() => process.exit(status), LIMIT_MS);
  for (const task of [...tasks].toReversed()) {
    try {
      await task();
    } catch {
      // There is nobody left to tell, and the others still have to be done.
    }
  }
  process.exit(status);
}
