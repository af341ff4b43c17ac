import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { digitsPlugin } from '../lab/tasks/digits-plugin.js';
import { mobyDickPlugin } from '../lab/tasks/moby-dick-plugin.js';
import { wgslPlugin } from '../scripts/wgsl-plugin.js';
import { dataLicencesPlugin } from './data-licences-plugin.js';
import { docsPlugin } from './docs-plugin.js';
import { photoPlugin } from './photo-plugin.js';
import { servingPlugin } from './serving-plugin.js';
import { CODE_LICENCES_FILE, pageFiles, sitePlugin } from './site-plugin.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const repository = fileURLToPath(new URL('..', import.meta.url));

/** What programs of the playground import, and the names under which the built site has it. */
const PROGRAM_MODULES: Readonly<Record<string, string>> = {
  [join(here, 'playground/library.ts')]: 'playground/webgpu-optim.js',
  [join(here, 'playground/runtime.ts')]: 'playground/runtime.js',
};

/**
 * The demo: `npm run demo` serves it to this machine only, and `npm run train` serves the same
 * files to a headless browser. It asks for nothing from outside its own server.
 */
export default defineConfig(({ command }) => ({
  root: here,
  // Not `DEV`, which follows NODE_ENV: tests build the site, too.
  define: { 'import.meta.env.IS_BUILT': String(command === 'build') },
  // Relative, so that a built demo may be put under any path.
  base: './',
  appType: 'mpa',
  // The shaders as the package ships them: stripped.
  plugins: [
    wgslPlugin(),
    sitePlugin(),
    digitsPlugin(),
    mobyDickPlugin(),
    photoPlugin(),
    dataLicencesPlugin(),
    servingPlugin(),
    docsPlugin(),
  ],
  server: {
    host: '127.0.0.1',
    // The library's sources and shaders lie beside the demo, not under it.
    fs: { allow: [repository] },
  },
  preview: { host: '127.0.0.1' },
  optimizeDeps: {
    // Named here so that vite bundles them before the first page load. Found later, they would
    // reload the page in the middle of a run.
    include: [
      '@tensorflow/tfjs-core',
      '@tensorflow/tfjs-core/dist/register_all_gradients',
      '@tensorflow/tfjs-backend-webgpu',
      'uplot',
      'codemirror',
      '@codemirror/lang-javascript',
      '@codemirror/language',
      '@codemirror/view',
      '@lezer/highlight',
      '@lezer/javascript',
      '@nats-io/jetstream',
      '@nats-io/kv',
      '@nats-io/nats-core',
      '@nats-io/obj',
    ],
  },
  build: {
    outDir: fileURLToPath(new URL('dist', import.meta.url)),
    emptyOutDir: true,
    license: { fileName: CODE_LICENCES_FILE },
    target: 'es2022',
    // These know light-dark(); for older ones it would be replaced by what ignores the theme button.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    // TensorFlow.js and its kernels are half a megabyte, whatever is left out.
    chunkSizeWarningLimit: 600,
    // What scripts load later may be loaded in a worker, which has no page to note it in.
    modulePreload: { resolveDependencies: (_, files, { hostType }) => (hostType === 'html' ? files : []) },
    rolldownOptions: {
      input: [
        ...pageFiles,
        fileURLToPath(new URL('headless/index.html', import.meta.url)),
        ...Object.keys(PROGRAM_MODULES),
      ],
      preserveEntrySignatures: 'exports-only',
      output: {
        entryFileNames: ({ facadeModuleId }) =>
          PROGRAM_MODULES[facadeModuleId ?? ''] ?? 'assets/[name]-[hash].js',
      },
    },
  },
}));
