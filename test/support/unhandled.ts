/** What a program throws or rejects and nobody handles, wherever it runs. */

/** Errors and reasons of rejections that nobody handled. */
export interface Unhandled {
  readonly reasons: unknown[];
  /** Ends the watching; for `track`. */
  destroy(): void;
}

const NODE_EVENTS = ['unhandledRejection', 'uncaughtException'] as const;
const PAGE_EVENTS = ['unhandledrejection', 'error'] as const;

/** Notes them from now on, in place of a test runner, which would take each for a failure. */
export function watchUnhandled(): Unhandled {
  const reasons: unknown[] = [];
  return { reasons, destroy: 'document' in globalThis ? watchPage(reasons) : watchNode(reasons) };
}

function watchNode(reasons: unknown[]): () => void {
  const note = (reason: unknown): void => void reasons.push(reason);
  const undo = NODE_EVENTS.map((event) => {
    const others = process.rawListeners(event);
    process.removeAllListeners(event);
    process.on(event, note);
    return () => {
      process.off(event, note);
      for (const other of others) process.on(event, other as () => void);
    };
  });
  return () => {
    for (const each of undo) each();
  };
}

function watchPage(reasons: unknown[]): () => void {
  const note = (event: PromiseRejectionEvent | ErrorEvent): void => {
    event.preventDefault();
    event.stopImmediatePropagation();
    reasons.push('reason' in event ? event.reason : event.error);
  };
  // Before those of the test runner.
  for (const event of PAGE_EVENTS) addEventListener(event, note, { capture: true });
  return () => {
    for (const event of PAGE_EVENTS) removeEventListener(event, note, { capture: true });
  };
}

/** What nobody handled while `run` ran, and shortly after. */
export async function unhandledIn(run: () => Promise<void>): Promise<readonly unknown[]> {
  const unhandled = watchUnhandled();
  try {
    await run();
    await new Promise((resolve) => setTimeout(resolve, 50));
  } finally {
    unhandled.destroy();
  }
  return unhandled.reasons;
}
