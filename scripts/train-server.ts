/** Serves the demo's files to the headless browser. */
import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';
import type * as TrainedRules from '../demo/train/trained-rules.js';

const configFile = fileURLToPath(new URL('../demo/vite.config.ts', import.meta.url));
const rulesFile = fileURLToPath(new URL('../demo/train/trained-rules.ts', import.meta.url));

/** The demo, served to this machine only. */
export interface DemoServer {
  /** Where the headless page is. */
  readonly url: string;
  /** Names of the rules that train; vite reads them, for they import shaders, which Node alone cannot. */
  ruleNames(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Starts a server for one run, on a free port. */
export async function startDemoServer(): Promise<DemoServer> {
  const server = await createServer({
    configFile,
    logLevel: 'error',
    clearScreen: false,
    // A file saved while a run goes on must not reload the page under it.
    server: { port: 0, hmr: false, watch: null },
  });
  await server.listen();
  const origin = server.resolvedUrls?.local[0];
  if (origin === undefined) {
    await server.close();
    throw new Error('The demo server did not start on 127.0.0.1.');
  }
  return {
    url: new URL('headless/', origin).href,
    async ruleNames() {
      const { trainedRules } = (await server.ssrLoadModule(rulesFile)) as typeof TrainedRules;
      return Object.keys(trainedRules);
    },
    close: () => server.close(),
  };
}
