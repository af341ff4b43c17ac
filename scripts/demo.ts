/** `npm run demo`: serves the site to this machine, prints its address, and opens a browser where there is a screen. */
import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';
import { createCommand, integerFrom, runCommand } from './terminal/command-line.js';
import { hasScreen } from './terminal/screen.js';

const configFile = fileURLToPath(new URL('../demo/vite.config.ts', import.meta.url));

await runCommand('demo', async () => {
  const { open, port } = createCommand('npm run demo --')
    .description('Serves the site to this machine, from its sources, until Ctrl-C.')
    .option('--no-open', 'opens no browser')
    .option('--port <number>', 'where; default: the first one from 5173 that is free', integerFrom(1, 65_535))
    .parse()
    .opts<{ open: boolean; port?: number }>();
  const server = await createServer({
    configFile,
    ...(port !== undefined && { server: { port, strictPort: true } }),
  });
  await server.listen();
  console.log(`The demo is at ${server.resolvedUrls?.local[0]}, for this machine only. Ctrl-C ends it.`);
  if (open && hasScreen(process.platform, process.env)) server.openBrowser();
  // The server goes on.
  await new Promise(() => {});
});
