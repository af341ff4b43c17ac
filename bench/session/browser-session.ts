import { fileURLToPath } from 'node:url';
import { type Plugin, createServer } from 'vite';
import { type AdapterChoice, type BrowserKind, launchBrowser } from '../../scripts/browsers.js';
import type { Session } from './session.js';

// Right both here and in bench/dist, where this is bundled to: neither is deeper than the other.
const PAGE_FOLDER = fileURLToPath(new URL('../page', import.meta.url));
const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** Preparing tensors of a gigabyte takes minutes on a software adapter. */
const CALL_TIMEOUT_MS = 3_600_000;

export interface BrowserSessionOptions {
  /** Default `chrome`. Of Firefox, the CPU time of the GPU process is not to be had: it is NaN there. */
  browser?: BrowserKind;
  /** They serve what the page needs beside its code. */
  plugins?: readonly Plugin[];
}

/** Serves `bench/page` to this machine only and opens it for a suite in a headless browser. */
export async function openBrowserSession<T>(
  suite: string,
  adapter: AdapterChoice,
  { browser: kind = 'chrome', plugins = [] }: BrowserSessionOptions = {},
): Promise<Session<T>> {
  const server = await createServer({
    configFile: false,
    root: PAGE_FOLDER,
    cacheDir: `${REPOSITORY}/node_modules/.vite-bench`,
    logLevel: 'error',
    plugins: [...plugins],
    // A file saved meanwhile must not reload the page in mid-measurement.
    server: { host: '127.0.0.1', hmr: false, watch: null, fs: { allow: [REPOSITORY] } },
    optimizeDeps: {
      include: [
        '@jax-js/jax',
        '@tensorflow/tfjs-core',
        '@tensorflow/tfjs-core/dist/register_all_gradients',
        '@tensorflow/tfjs-backend-webgpu',
        'onnx-proto',
      ],
      // It finds its WebAssembly beside itself.
      exclude: ['onnxruntime-web'],
    },
  });
  await server.listen();
  const browser = await launchBrowser(kind, { adapter, callTimeoutMs: CALL_TIMEOUT_MS });
  const close = async (): Promise<void> => {
    await browser.close();
    await server.close();
  };
  try {
    const page = await browser.newPage();
    let fail: (error: Error) => void = () => undefined;
    const failed = new Promise<never>((_, reject) => {
      fail = reject;
    });
    failed.catch(() => undefined);
    page.on('pageerror', (error) => fail(new Error(`In the page: ${String(error)}`)));
    page.on('console', (message) => {
      if (message.type() === 'error') fail(new Error(`In the page: ${message.text()}`));
    });
    const client = kind === 'chrome' ? await browser.target().createCDPSession() : undefined;
    const url = server.resolvedUrls!.local[0]!;
    await page.goto(new URL(`?suite=${suite}`, url).href);
    await Promise.race([page.waitForFunction('globalThis.bench !== undefined'), failed]);
    return {
      call: async (method, ...args) =>
        (await Promise.race([
          page.evaluate(
            (name, given) =>
              (globalThis as unknown as { bench: Record<string, (...a: unknown[]) => unknown> }).bench[name]!(
                ...given,
              ),
            method,
            args as unknown[],
          ),
          failed,
        ])) as never,
      gpuProcessCpuMs: async () => {
        if (!client) return Number.NaN;
        const { processInfo } = await client.send('SystemInfo.getProcessInfo');
        return 1000 * (processInfo.find(({ type }) => type === 'GPU')?.cpuTime ?? Number.NaN);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
