import { type ModuleAddresses, ProgramError, makeProgram } from './program.js';
import type { Report } from './reports.js';

declare global {
  interface ImportMetaEnv {
    /** Whether this is a built site's, not served by vite from the sources; see vite.config.ts. */
    readonly IS_BUILT: boolean;
  }
}

/** The files beside the page; see vite.config.ts for those of the built site. */
const addressOf = (source: string, built: string): string =>
  new URL(import.meta.env.IS_BUILT ? built : source, location.origin + location.pathname).href;

const modules: ModuleAddresses = {
  library: addressOf('./library.ts', './webgpu-optim.js'),
  runtime: addressOf('./runtime.ts', './runtime.js'),
};

/** Runs one program at a time, each in a worker of its own, which has no page, and the content policy of this one. */
export class Runner {
  #worker: Worker | undefined;
  #addresses: string[] = [];

  /** @param listener gets what the program tells, until it is stopped. */
  constructor(private readonly listener: (report: Report) => void) {}

  start(code: string): void {
    this.stop();
    let program: string;
    try {
      program = this.#publish(makeProgram(code, modules));
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
      this.listener({ kind: 'failed', text: error.message, line: error.line });
      return;
    }
    const begin = this.#publish(
      `import { run } from ${JSON.stringify(modules.runtime)};\nawait run(${JSON.stringify(program)});\n`,
    );
    const worker = new Worker(begin, { type: 'module', name: 'playground' });
    worker.addEventListener('message', ({ data }: MessageEvent<Report>) => this.listener(data));
    worker.addEventListener('error', ({ message }) =>
      this.listener({ kind: 'failed', text: message || 'The program could not be loaded.' }),
    );
    this.#worker = worker;
  }

  /** Ends the program, wherever it is. */
  stop(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const address of this.#addresses) URL.revokeObjectURL(address);
    this.#addresses = [];
  }

  #publish(text: string): string {
    const address = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
    this.#addresses.push(address);
    return address;
  }
}
