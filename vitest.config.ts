import { randomInt } from 'node:crypto';
import { type TestProjectConfiguration, defineConfig } from 'vitest/config';
import { digitsPlugin } from './lab/tasks/digits-plugin.js';
import { mobyDickPlugin } from './lab/tasks/moby-dick-plugin.js';
import { photoPlugin } from './demo/photo-plugin.js';
import type { AdapterChoice, BrowserKind } from './scripts/browsers.js';
import { puppeteerProvider } from './test/support/puppeteer-provider.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Whether all cases are wanted, also those that else the seed draws: `npm run test:all`. */
    all: boolean;
    /** Seeds every random choice of a test; `TEST_SEED=<seed> npm test` repeats a run. */
    seed: number;
    /** The adapter the browsers were asked for. */
    adapter: AdapterChoice;
    /** Where the test runs; of a test that visits the demo's site, where the site is looked at. */
    runtime: BrowserKind | 'node';
  }
}

/** Files about the host's calls: input, counts, objects and their lifetimes, moments nobody planned. */
const HOST_TESTS = [
  'added-groups',
  'device-loss',
  'foreign-realm',
  'large-shapes',
  'leaving-out',
  'leaving-out-norm',
  'life-runs',
  'loops-and-bounds',
  'loss-scale',
  'moving-options',
  'object-lifetimes',
  'options-are-values',
  'parity-leaving-out',
  'pending-readings',
  'plain-words',
  'rebind-moments',
  'reference-dict',
  'ring-growth',
  'shortage',
  'state-dict-trust',
  'subnormal',
  'swap-large',
];

const SLOW_ADAPTER_MS = 120_000;
const seed = testSeed();
const all = Boolean(process.env['TEST_ALL']);
const adapter = adapterChoice();

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          // No test changes what another one sees, and loading modules once per file takes a quarter of the time.
          isolate: false,
          environment: 'node',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 30_000,
          provide: { all, seed, adapter, runtime: 'node' },
        },
      },
      siteProject('demo', 'chrome'),
      browserProject('chrome', 'chrome', ['test/gpu/**/*.test.ts']),
      // Mutants are told from the rule by bits where results are exact to the bit; by bounds it takes three times as long.
      // What is about the host's calls and counts is the same code in both; what is about kernels, buffers and the order of
      // commands runs in both.
      browserProject('firefox', 'firefox', [`test/gpu/**/!(mutation|${HOST_TESTS.join('|')}).test.ts`]),
      // Networks of TensorFlow.js learn four times as fast on llvmpipe as on SwiftShader.
      browserProject('e2e', 'chrome', ['test/e2e/**/!(training|transformer).test.ts']),
      browserProject('e2e-firefox', 'firefox', ['test/e2e/{training,transformer,readme}.test.ts']),
      siteProject('demo-firefox', 'firefox'),
    ],
  },
});

/**
 * Tests of the site that a browser runs: which pages there are, and of those that compute, half, by the seed; the other half
 * is the other browser's. What axe-core reads is the same in both, and trouble is made by means that only Chrome has.
 */
function siteTests(kind: BrowserKind): string[] {
  const turn = (seed + (kind === 'chrome' ? 0 : 1)) % 2;
  const computing = ['large', 'prove', 'race', 'splats', 'throughput', 'train'].filter(
    (_, k) => all || k % 2 === turn,
  );
  const names = ['site', ...computing, ...(kind === 'chrome' ? ['accessibility', 'trouble'] : [])];
  return names.map((name) => `test/demo/${name}.test.ts`);
}

/** Tests in Node that visit the built site with a browser. */
function siteProject(name: string, kind: BrowserKind): TestProjectConfiguration {
  return {
    test: {
      name,
      environment: 'node',
      include: siteTests(kind),
      globalSetup: ['test/support/demo-site.ts'],
      testTimeout: SLOW_ADAPTER_MS,
      hookTimeout: SLOW_ADAPTER_MS,
      // One browser at a time, as in the other projects: they would slow each other.
      fileParallelism: false,
      provide: { all, seed, adapter, runtime: kind },
    },
  };
}

/** Tests in a page. */
function browserProject(name: string, kind: BrowserKind, include: string[]): TestProjectConfiguration {
  return {
    // Found in mid-run, a package would be optimized anew, and that reloads the page under its tests.
    optimizeDeps: {
      include: [
        'fast-check',
        '@jax-js/jax',
        '@tensorflow/tfjs-core',
        '@tensorflow/tfjs-core/dist/register_all_gradients',
        '@tensorflow/tfjs-backend-webgpu',
        'onnx-proto',
        '@tensorflow/tfjs-layers',
      ],
      // It finds its WebAssembly beside itself.
      exclude: ['onnxruntime-web'],
    },
    plugins: [digitsPlugin(), mobyDickPlugin(), photoPlugin()],
    // One folder for both would let one project's server rewrite what the other's is serving.
    cacheDir: `node_modules/.vite-${name}`,
    test: {
      // Only the instance below carries the plain name: vitest wants both, and wants them to differ.
      name: `${name}-server`,
      include,
      testTimeout: SLOW_ADAPTER_MS,
      hookTimeout: SLOW_ADAPTER_MS,
      fileParallelism: false,
      provide: { all, seed, adapter, runtime: kind },
      browser: {
        enabled: true,
        headless: true,
        // Frameworks keep a page's device, and much else, for themselves. Other tests share one page and one device: what one
        // file compiled, the next one finds.
        isolate: name.startsWith('e2e'),
        ui: false,
        screenshotFailures: false,
        connectTimeout: SLOW_ADAPTER_MS,
        api: { host: '127.0.0.1' },
        provider: puppeteerProvider({ kind, adapter }),
        instances: [{ browser: kind, name }],
      },
    },
  };
}

/** Kept in the environment, so that a config loaded twice in one run yields one seed. */
function testSeed(): number {
  const given = process.env['TEST_SEED'];
  if (given === undefined || given === '') {
    const fresh = randomInt(2 ** 32);
    process.env['TEST_SEED'] = String(fresh);
    if (process.env['VITEST']) console.log(`TEST_SEED=${fresh}`);
    return fresh;
  }
  const value = Number(given);
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) return value;
  throw new Error(`TEST_SEED is "${given}". Use an integer from 0 to ${2 ** 32 - 1}, or unset it.`);
}

function adapterChoice(): AdapterChoice {
  const given = process.env['WEBGPU_ADAPTER'] ?? 'software';
  if (given === 'software' || given === 'default') return given;
  throw new Error(`WEBGPU_ADAPTER is "${given}". Use "software" or "default".`);
}
