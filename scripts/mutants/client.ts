/** Runs single test files one after the other, in a process that lives on between them and is replaced if it hangs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Answer, Request } from './server.js';

const START_LIMIT_MS = 60_000;

/** Runs the test files of a tree. */
export class TestRunner {
  #server: ChildProcess | undefined;

  /** @param projects vitest's, that the tests are in. */
  constructor(
    private readonly tree: string,
    private readonly projects: readonly string[],
  ) {}

  /**
   * Runs a test file.
   *
   * @param changed files that are not what they were at the run before.
   * @param limitMs how long it may take; a server that takes longer is killed, which counts as a failure.
   */
  async run(test: string, changed: readonly string[], limitMs: number): Promise<Answer> {
    const server = (this.#server ??= await this.#start());
    const request: Request = { test, changed };
    server.send(request);
    const answer = await reply<Answer>(server, limitMs);
    if (answer !== undefined) return answer;
    this.stop();
    return { isGood: false, reason: `not done after ${Math.round(limitMs / 1000)} s, or gone` };
  }

  /** Ends the process; the next run starts another one. */
  stop(): void {
    const server = this.#server;
    this.#server = undefined;
    if (server?.pid === undefined) return;
    try {
      // A group of its own, so that one signal reaches vitest's workers, too.
      process.kill(process.platform === 'win32' ? server.pid : -server.pid, 'SIGKILL');
    } catch {
      // It is gone already.
    }
  }

  async #start(): Promise<ChildProcess> {
    const args = ['--import', 'tsx', join('scripts', 'mutants', 'server.ts'), ...this.projects];
    const server = spawn(process.execPath, args, {
      cwd: this.tree,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      detached: process.platform !== 'win32',
    });
    if ((await reply(server, START_LIMIT_MS)) === undefined) {
      throw new Error('vitest did not start in the copy of the tree.');
    }
    return server;
  }
}

/** The next message of a process; nothing if it ends, or takes too long. */
async function reply<T>(server: ChildProcess, limitMs: number): Promise<T | undefined> {
  const done = new AbortController();
  const { signal } = done;
  const timer = setTimeout(() => done.abort(), limitMs);
  try {
    const [message] = (await Promise.race([
      once(server, 'message', { signal }),
      once(server, 'exit', { signal }).then(() => []),
    ])) as [T?];
    return message;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
    done.abort();
  }
}
