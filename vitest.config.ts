import { randomInt } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { type TestProjectConfiguration, defineConfig } from 'vitest/config';
import { digitsPlugin } from './lab/tasks/digits-plugin.js';
import { mobyDickPlugin } from './lab/tasks/moby-dick-plugin.js';
import { photoPlugin } from './demo/photo-plugin.js';
import type { AdapterChoice, BrowserKind } from './scripts/browsers.js';
import { examplePagesPlugin } from './test/support/example-pages.js';
import { PATIENCE_MS } from './test/support/patience.js';
import { puppeteerProvider } from './test/support/puppeteer-provider.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Whether all cases are wanted, also those that else the seed draws: `npm run test:all`. */
    all: boolean;
    /** Whether the run shares what it would draw with others: `npm test` of everything. */
    takesTurns: boolean;
    /** Seeds every random choice of a test; `TEST_SEED=<seed> npm test` repeats a run. */
    seed: number;
    /** The adapter the browsers were asked for. */
    adapter: AdapterChoice;
    /** Where the test runs; of a test that visits the demo's site, where the site is looked at. */
    runtime: BrowserKind | 'node';
  }
}

/** Files about the host's calls: input, counts, objects and their lifetimes, moments nobody planned; and quality, which follows from parity. */
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
  'outer-calls',
  'parity-leaving-out',
  'pending-readings',
  'plain-words',
  'rebind-moments',
  'reference-dict',
  'ring-growth',
  'shortage',
  'shortage-creation',
  'shortage-map-rows',
  'state-dict-trust',
  'state-quality',
  'subnormal',
  'swap-large',
  'without-globals',
];

/**
 * Files of tests about what only pages have: iframes, the origin's own file system; what counts objects, which takes ten times as
 * long among all that Node's one process holds; and tensors of millions of elements that are measured as a whole: their twin takes
 * half a minute in Chrome, and a quarter of an hour in the modules that vitest rewrites for Node.
 */
const PAGE_TESTS = [
  'arena-calls',
  'checkpoint',
  'foreign-realm',
  'large',
  'object-lifetimes',
  'safetensors',
  'state-dict-trust',
];

/** Of the tests of the site's pages that compute, those that are Chrome's turn. On SwiftShader they take up to four times as long. */
const CHROME_TURNS = [['large', 'race'], ['prove', 'throughput'], ['splats']];

/** In a run of everything these are never Chrome's: Train takes minutes there, and `trouble` visits it. */
const ALWAYS_FIREFOX = ['train'];

const SLOW_ADAPTER_MS = 120_000;
const seed = testSeed();
const all = Boolean(process.env['TEST_ALL']);
/** Whether a run is one of many, which share the tests that can be run in one place or another; the seed says whose turn it is. */
const takesTurns = !all && Boolean(process.env['TEST_TURNS']);
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
          provide: { all, takesTurns, seed, adapter, runtime: 'node' },
        },
      },
      siteProject('demo', 'chrome'),
      nodeProject(),
      natsProject(),
      runtimesProject(),
      packageProject(),
      browserProject('chrome', 'chrome', gpuTests('chrome')),
      browserProject('firefox', 'firefox', gpuTests('firefox')),
      // Networks of TensorFlow.js learn four times as fast on llvmpipe as on SwiftShader.
      browserProject('e2e', 'chrome', ['test/e2e/**/!(training|transformer).test.ts']),
      browserProject('e2e-firefox', 'firefox', ['test/e2e/{training,transformer,examples}.test.ts']),
      siteProject('demo-firefox', 'firefox'),
    ],
  },
});

/**
 * Tests of the site that a browser runs: which pages there are, and of those that compute, by the seed, Chrome some and
 * Firefox the others. What axe-core reads is the same in both, and trouble is made by means that only Chrome has.
 */
function siteTests(kind: BrowserKind): string[] {
  const chromes = CHROME_TURNS[seed % CHROME_TURNS.length]!;
  const computing = [...CHROME_TURNS.flat(), ...ALWAYS_FIREFOX].filter(
    (name) => !takesTurns || chromes.includes(name) === (kind === 'chrome'),
  );
  const names = [
    ...(!takesTurns || (seed >>> 16) % 2 === (kind === 'chrome' ? 0 : 1) ? ['site'] : []),
    ...computing,
    ...(kind === 'chrome' ? ['accessibility', 'gpu-process', 'trouble'] : []),
  ];
  return names.map((name) => `test/demo/${name}.test.ts`);
}

/**
 * Tests of the GPU. On SwiftShader, whose bits are the same in Chrome and in Node, where they take half the time, a quarter of the
 * files is tested here, by the seed, and the others there. Firefox has a quarter of those that are about kernels.
 */
function gpuTests(where: 'chrome' | 'node' | 'firefox'): string[] {
  // Not the bits that draw cases, or some of them would never be in a browser.
  const draw = seed >>> 16;
  // Of what needs a page and is about kernels or files, too, one browser has its turn.
  const otherBrowser = draw % 2 === 0 ? 'firefox' : 'chrome';
  const files = readdirSync('test/gpu').filter((name) => name.endsWith('.test.ts'));
  const isAmong = (names: readonly string[], file: string): boolean =>
    names.includes(file.replace('.test.ts', ''));
  const ofPages = files
    .filter((file) => isAmong(PAGE_TESTS, file))
    .filter((file) => !takesTurns || where !== otherBrowser || isAmong(HOST_TESTS, file));
  const isChromes = (k: number): boolean => k % 4 === draw % 4;
  const isOurs = {
    chrome: (k: number) => !takesTurns || isChromes(k),
    node: (k: number) => !takesTurns || !isChromes(k),
    firefox: (k: number) => !takesTurns || k % 4 === (draw >>> 2) % 4,
  }[where];
  const ours = files
    .filter((file) => !isAmong(PAGE_TESTS, file))
    .toSorted()
    .filter((_, k) => isOurs(k));
  // Mutants are told from the rule by bits where results are exact to the bit; by bounds it takes three times as long.
  // What is about the host's calls and counts is the same code in all; what is about kernels, buffers and the order of
  // commands runs in both browsers.
  const [added, leftOut] =
    where === 'firefox'
      ? [ofPages, ['mutation', 'codec-mutation', ...HOST_TESTS]]
      : [where === 'chrome' ? ofPages : [], []];
  return [...ours, ...added].filter((file) => !isAmong(leftOut, file)).map((name) => `test/gpu/${name}`);
}

/** Tests in Node that visit the built site with a browser. */
function siteProject(name: string, kind: BrowserKind): TestProjectConfiguration {
  return {
    test: {
      name,
      environment: 'node',
      include: siteTests(kind),
      globalSetup: ['test/support/demo-site.ts'],
      // One process, one browser for most of the files.
      isolate: false,
      // Twice what a page may take for one thing.
      testTimeout: 2 * PATIENCE_MS,
      hookTimeout: SLOW_ADAPTER_MS,
      // One browser at a time, as in the other projects: they would slow each other.
      fileParallelism: false,
      provide: { all, takesTurns, seed, adapter, runtime: kind },
    },
  };
}

/** Tests in Node, on Dawn and SwiftShader, as Chrome has them. */
function nodeProject(): TestProjectConfiguration {
  return {
    plugins: [examplePagesPlugin()],
    test: {
      name: 'node',
      environment: 'node',
      include: [...gpuTests('node'), 'test/fuzz/*.test.ts'],
      setupFiles: ['test/support/node-gpu.ts'],
      // One process, one device: what one file compiled, the next one finds.
      isolate: false,
      fileParallelism: false,
      testTimeout: SLOW_ADAPTER_MS,
      hookTimeout: SLOW_ADAPTER_MS,
      provide: { all, takesTurns, seed, adapter, runtime: 'node' },
    },
  };
}

/** Tests in Node with a real NATS server. */
function natsProject(): TestProjectConfiguration {
  return {
    test: {
      name: 'nats',
      environment: 'node',
      include: ['test/nats/**/*.test.ts'],
      // Each has a server of its own, and they mostly wait.
      isolate: false,
      testTimeout: SLOW_ADAPTER_MS,
      hookTimeout: SLOW_ADAPTER_MS,
      provide: { all, takesTurns, seed, adapter, runtime: 'node' },
    },
  };
}

/** Tests of the built package in processes of Node and Deno. */
function runtimesProject(): TestProjectConfiguration {
  return {
    test: {
      name: 'runtimes',
      environment: 'node',
      include: ['test/runtimes/**/*.test.ts'],
      testTimeout: SLOW_ADAPTER_MS,
      hookTimeout: SLOW_ADAPTER_MS,
      provide: { all, takesTurns, seed, adapter, runtime: 'node' },
    },
  };
}

/** Tests of the package as it is published: its tarball, unpacked where a user has it. */
function packageProject(): TestProjectConfiguration {
  return {
    test: {
      name: 'package',
      environment: 'node',
      include: ['test/package/**/*.test.ts'],
      globalSetup: ['test/support/packed-package.ts'],
      // Compilers and bundlers take all cores, each by itself.
      fileParallelism: false,
      testTimeout: SLOW_ADAPTER_MS,
      hookTimeout: SLOW_ADAPTER_MS,
      provide: { all, takesTurns, seed, adapter, runtime: 'node' },
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
        '@tensorflow/tfjs-backend-cpu',
        '@tensorflow/tfjs-backend-webgpu',
        'onnx-proto',
        '@tensorflow/tfjs-layers',
      ],
      // It finds its WebAssembly beside itself.
      exclude: ['onnxruntime-web'],
    },
    plugins: [digitsPlugin(), mobyDickPlugin(), photoPlugin(), examplePagesPlugin()],
    // One folder for both would let one project's server rewrite what the other's is serving.
    cacheDir: `node_modules/.vite-${name}`,
    test: {
      // Only the instance below carries the plain name: vitest wants both, and wants them to differ.
      name: `${name}-server`,
      include,
      testTimeout: SLOW_ADAPTER_MS,
      hookTimeout: SLOW_ADAPTER_MS,
      fileParallelism: false,
      provide: { all, takesTurns, seed, adapter, runtime: kind },
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
