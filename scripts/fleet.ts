/** `npm run fleet`: tabs of a headless browser train together over a NATS server. */
import { launchBrowser } from './browsers.js';
import { parseFleetCommand } from './fleet/command.js';
import { type FleetProgress, createFleetProgress } from './fleet/progress.js';
import { fleetRecord, formatFleet } from './fleet/results.js';
import { type FleetResult, FleetRun, runAlone } from './fleet/run.js';
import { startNatsServer } from './nats-server.js';
import { runCommand } from './terminal/command-line.js';
import { beforeLeaving } from './terminal/leaving.js';
import { startDemoServer } from './train-server.js';

/** All peers of a round may wait for the slowest one. */
const CALL_MS = 600_000;

await runCommand('fleet', async () => {
  const command = parseFleetCommand(process.argv);
  const stream = command.json ? process.stderr : process.stdout;
  const nats = await startNatsServer();
  const server = await startDemoServer();
  const browser = await launchBrowser('chrome', { adapter: 'default', callTimeoutMs: CALL_MS });
  try {
    const pageUrl = new URL('fleet/', server.url).href;
    const place = { browser, pageUrl, natsUrl: nats.websocketUrl };
    const shown = async <T>(title: string, run: (progress: FleetProgress) => Promise<T>): Promise<T> => {
      const progress = createFleetProgress(title, stream);
      const takeBack = beforeLeaving(() => progress.stop());
      try {
        return await run(progress);
      } finally {
        takeBack();
        progress.stop();
      }
    };
    const alone = command.one
      ? await shown('1 peer', (progress) => runAlone(place, command, progress))
      : undefined;
    const results: FleetResult[] = [];
    for (const compression of command.compressions) {
      results.push(
        await shown(compression, (progress) => new FleetRun(place, command, compression, progress).train()),
      );
    }
    const all = { command, alone, results };
    console.log(command.json ? JSON.stringify(fleetRecord(all)) : formatFleet(all));
  } finally {
    await browser.close();
    await server.close();
    await nats.destroy();
  }
});
