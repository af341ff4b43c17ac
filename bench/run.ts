/** `npm run bench`: see bench/README.md. */
import { measureAll } from './measure.js';
import { type BenchOptions, readOptions } from './options.js';
import type { BenchPage } from './protocol.js';
import type { Session } from './session/session.js';
import { formatTable } from './table.js';

const options = readOptions(process.argv);
const session = await openSession(options);
try {
  const results = await measureAll(session, options);
  if (options.save) {
    // Only who draws waits for the chart library to load.
    const { saveResults } = await import('./session/save-results.js');
    saveResults(results);
  }
  if (options.json) console.log(JSON.stringify(results));
  else console.log(formatTable(results, process.stdout.isTTY));
} finally {
  await session.close();
}

/** Each runtime is loaded only when it is wanted: a machine may lack what the other one needs. */
async function openSession({ runtime, adapter }: BenchOptions): Promise<Session<BenchPage>> {
  if (runtime === 'node') return (await import('./session/node-session.js')).openNodeSession(adapter);
  const { openBrowserSession } = await import('./session/browser-session.js');
  return openBrowserSession<BenchPage>('index.html', adapter);
}
