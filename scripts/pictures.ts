/**
 * `npm run pictures`: the pictures of the demo's pages, for the start page, visitors without WebGPU and the README.
 * Arguments choose pages: `npm run pictures -- race large`. `--phone` and `--dark` take them so, into test-results/ only.
 */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, preview } from 'vite';
import { WITHOUT_DOCS } from '../demo/docs-plugin.js';
import { launchBrowser } from './browsers.js';
import { UsageError, createCommand, runCommand } from './terminal/command-line.js';

/** How a page is brought to where it is worth a picture. */
interface Scene {
  /** Query of the page's address. */
  readonly search: string;
  /** What to click on once it can be. */
  readonly click?: string;
  /** An expression that is true in the page once the picture may be taken. */
  readonly until: string;
  /** What the picture begins with; default the top of the page. */
  readonly from?: string;
}

const shown = (selector: string): string => `document.querySelector('${selector}:not([hidden])') !== null`;
const status = (pattern: string): string =>
  `/${pattern}/.test(document.querySelector('#status').textContent)`;

const scenes: Record<string, Scene> = {
  playground: { search: '?recipe=first-run&start', until: status('^Done') },
  race: {
    search: '?surface=himmelblau&start=cloud&particles=4096&seed=1&speed=1&stop=40',
    until: status('^Done'),
    from: '#stage',
  },
  train: { search: '?left=adam&right=sgd&steps=60&start', until: shown('#controls[data-state=finished]') },
  large: {
    search: '?width=512&table=16&network=light&batch=4096&seed=1',
    click: '#start',
    until: "Number(document.querySelector('#picture').dataset.paintedStep) >= 120",
    from: '#picture-panel',
  },
  splats: { search: '?start', until: status('^Done'), from: '#pictures' },
  throughput: { search: '?rounds=3&start', until: shown('#result'), from: '#elements-rate' },
  prove: { search: '?seed=1&start', until: status('all \\d+ runs passed') },
};

const SCENE_MS = 600_000;
const configFile = fileURLToPath(new URL('../demo/vite.config.ts', import.meta.url));
const folderOf = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

await runCommand('pictures', async () => {
  const command = createCommand('npm run pictures --')
    .argument('[pages...]', `of ${Object.keys(scenes).join(', ')}; default all`)
    .option('--phone', 'as a phone shows it')
    .option('--dark', 'in the dark theme')
    .parse();
  const { phone = false, dark = false } = command.opts<{ phone?: boolean; dark?: boolean }>();
  const wanted = command.args.length > 0 ? command.args : Object.keys(scenes);
  const unknown = wanted.find((path) => !Object.hasOwn(scenes, path));
  if (unknown !== undefined) {
    throw new UsageError(
      `"${unknown}" is no page with a picture; choose of ${Object.keys(scenes).join(', ')}.`,
    );
  }
  const isPublished = !phone && !dark;
  const pictures = folderOf(isPublished ? 'demo/pictures' : 'test-results/pictures');
  mkdirSync(pictures, { recursive: true });

  const outDir = folderOf('test-results/site');
  await build({ configFile, mode: WITHOUT_DOCS, logLevel: 'error', build: { outDir } });
  const server = await preview({ configFile, logLevel: 'error', build: { outDir }, preview: { port: 0 } });
  const browser = await launchBrowser('chrome', { adapter: 'default', callTimeoutMs: SCENE_MS });
  try {
    for (const path of wanted) {
      const scene = scenes[path]!;
      const page = await browser.newPage();
      page.on('pageerror', (error) => console.error(`${path}: ${String(error)}`));
      await page.setViewport(
        phone ? { width: 390, height: 844, isMobile: true } : { width: 1280, height: 800 },
      );
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }]);
      await page.goto(`${server.resolvedUrls!.local[0]}${path}/${scene.search}`);
      if (scene.click !== undefined) {
        await page.waitForSelector(`${scene.click}:not([disabled])`, { timeout: SCENE_MS });
        await page.click(scene.click);
      }
      await page.waitForFunction(scene.until, { timeout: SCENE_MS });
      await page.evaluate((from) => document.querySelector(from)?.scrollIntoView(), scene.from ?? 'body');
      const name = `${path}${phone ? '-phone' : ''}${dark ? '-dark' : ''}`;
      const file = `${pictures}/${name}.${isPublished ? 'webp' : 'png'}` as const;
      await (isPublished
        ? page.screenshot({ path: file, type: 'webp', quality: 85 })
        : page.screenshot({ path: file, fullPage: true }));
      console.log(file);
      await page.close();
    }
  } finally {
    await browser.close();
    await server.close();
  }
});
