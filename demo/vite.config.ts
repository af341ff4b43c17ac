import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { digitsPlugin } from '../lab/tasks/digits-plugin.js';
import { mobyDickPlugin } from '../lab/tasks/moby-dick-plugin.js';
import { wgslPlugin } from '../scripts/wgsl-plugin.js';
import { contentPolicy } from './content-policy.js';
import { dataLicencesPlugin } from './data-licences-plugin.js';
import { photoPlugin } from './photo-plugin.js';
import { CODE_LICENCES_FILE, pageFiles, sitePlugin } from './site-plugin.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const repository = fileURLToPath(new URL('..', import.meta.url));

/** Other sites may not show it in a frame, either; pages cannot say so themselves. */
function headersFor(isServed: boolean): Record<string, string> {
  return { 'Content-Security-Policy': `${contentPolicy(isServed)}; frame-ancestors 'none'` };
}

/**
 * The demo: `npm run demo` serves it to this machine only, and `npm run train` serves the same
 * files to a headless browser. It asks for nothing from outside its own server.
 */
export default defineConfig({
  root: here,
  // Relative, so that a built demo may be put under any path.
  base: './',
  // The shaders as the package ships them: stripped.
  plugins: [
    wgslPlugin(),
    sitePlugin(),
    digitsPlugin(),
    mobyDickPlugin(),
    photoPlugin(),
    dataLicencesPlugin(),
  ],
  server: {
    host: '127.0.0.1',
    headers: headersFor(true),
    // The library's sources and shaders lie beside the demo, not under it.
    fs: { allow: [repository] },
  },
  preview: { host: '127.0.0.1', headers: headersFor(false) },
  optimizeDeps: {
    // Named here so that vite bundles them before the first page load. Found later, they would
    // reload the page in the middle of a run.
    include: [
      '@tensorflow/tfjs-core',
      '@tensorflow/tfjs-core/dist/register_all_gradients',
      '@tensorflow/tfjs-backend-webgpu',
      'uplot',
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
    rolldownOptions: {
      input: [...pageFiles, fileURLToPath(new URL('headless/index.html', import.meta.url))],
    },
  },
});
